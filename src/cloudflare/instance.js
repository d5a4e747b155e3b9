// The instance of the wasm.

import { body } from "./edgate.js";

// The binding layer counts instances here: it makes a new one when it is called after one has ended. `loaded` is ours:
// whether the instance has read the configuration.
export const worker = globalThis.__worker_init_state;

// The wasm may have ended, which nothing should make it do. The next instance begins now, with a call that hands nothing
// over: the binding layer puts what is handed over into the memory of the old one, and then makes the new one.
export function renew() {
  worker.loaded = false;
  try {
    body(0);
  } catch (error) {
    console.error(error);
  }
}
