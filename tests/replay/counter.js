// The built gateway, with a door to its counters. /counter?name=..&act=..: `count` asks what `ask` says, `kept` says what
// is kept and when the alarm rings, `keep` writes the text `ask` in its place and begins another life of the object,
// `trap` ends the wasm while it decides, asks again, and says how many instances there were in between.
import gateway, { EdgateClaims, EdgateLimits as Counter } from "./edgate/index.js";

export { EdgateClaims };

export class EdgateLimits extends Counter {
  async kept() {
    return { kept: [...this.ctx.storage.kv.list()], alarm: await this.ctx.storage.getAlarm() };
  }

  async keep(text) {
    this.ctx.storage.kv.put("counter", text);
    await this.ctx.storage.sync();
    this.ctx.abort("another life");
  }

  trap(ask) {
    const before = globalThis.__worker_init_state.instanceId;
    globalThis.insideDecide = () => {
      globalThis.insideDecide = undefined;
      throw new WebAssembly.RuntimeError("unreachable");
    };
    try {
      this.count(ask);
    } catch (error) {
      return { error: String(error), answer: this.count(ask), instances: globalThis.__worker_init_state.instanceId - before };
    }
  }
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname !== "/counter") return gateway.fetch(request, env, ctx);
    const [name, act, ask] = ["name", "act", "ask"].map((parameter) => url.searchParams.get(parameter));
    try {
      return Response.json(await env.EDGATE_LIMITS.getByName(name)[act](ask ?? undefined));
    } catch (error) {
      return Response.json(String(error), { status: 500 });
    }
  },
};
