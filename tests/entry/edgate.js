// Stands in for the wasm and what binds it: tasks do what a script says, and answer with what they were told.
//
// The binding SCRIPTS has a list of steps for each path. A step has `lines`, into which the identifier is put, and may
// have `bytes` in hexadecimal; `signed` is a text that comes after what was delivered last. `raw` is a step as it
// stands but for `{id}`, with `id` for its bytes. `behind` is a list of steps of a task that goes on behind this one;
// what it was told is logged. After the last step, the answer is JSON: the request as it came, and every reply.

globalThis.__worker_init_state = { instanceId: 1 };

const tasks = new Map();
const bytes = new Map();
let scripts = {};
let last = 0;
let delivered = [];

export function initSync() {}

export function load(env) {
  scripts = env.SCRIPTS;
}

export function begin(_now, _hasBody, _size, text) {
  const id = ++last;
  const path = new URL(text.split("\n")[1]).pathname;
  tasks.set(id, { steps: [...scripts[path]], seen: [text], delivered: [] });
  return next(id);
}

export function resume(id, _now, reply) {
  const task = tasks.get(id);
  if (reply === "B") task.delivered = delivered;
  task.seen.push(reply === "B" ? `B ${hex(delivered)}` : reply);
  delivered = [];
  return next(id);
}

export function schedule() {
  return "D";
}

export function deliver(piece) {
  delivered = [...delivered, ...piece];
}

export function body(id) {
  const content = bytes.get(id);
  bytes.delete(id);
  return content;
}

// What a counter decides: `add MS` counts one more and says what it has come to, `look` changes nothing; `take LEAST MOST
// until LIMIT` and `look LEAST until LIMIT` are as the core has them.
export function decide(state, ask) {
  const [act, keep] = ask.split(" ");
  const limit = / until ([0-9]+)$/.exec(ask)?.[1];
  if (limit !== undefined) return withLimit(Number(state ?? 0), ask.split(" "), Number(limit));
  if (act === "trap") throw new Error("a trap\nof two lines");
  if (act === "add") return `${Number(state ?? 0) + 1} 0 0 0 0 0\n${keep}\n${Number(state ?? 0) + 1}`;
  if (act === "look") return `${state ?? 0} 0 0 0 0 0\n0${state === undefined ? "" : `\n${state}`}`;
  if (act === "forget") return "0 0 0 0 0 0\n0";
}

function withLimit(count, [act, , most], limit) {
  const taken = act === "take" ? Math.min(Number(most), limit - count) : 0;
  return `${taken} ${limit - count - taken} 0 0 0 0\n60000\n${count + taken}`;
}

// What `add` has counted is given back with `forget`.
export function givingBack(ask) {
  return ask.startsWith("add") ? "forget" : undefined;
}

function behind(steps) {
  const id = ++last;
  tasks.set(id, { steps: [...steps], seen: [], delivered: [], behind: true });
  const first = next(id);
  return `W\n${first.split("\n").length}\n${first}\n`;
}

function next(id) {
  const task = tasks.get(id);
  const step = task.steps.shift();
  if (step === undefined && task.behind) {
    console.log(`behind: ${JSON.stringify(task.seen)}`);
    return "D";
  }
  if (step === undefined) return `A\n200\ntext\n0\n0\n0\n${JSON.stringify(task.seen)}`;
  if (step.behind !== undefined) return behind(step.behind) + step.raw;
  if (step.bytes !== undefined) bytes.set(step.id ?? id, unhex(step.bytes));
  if (step.raw !== undefined) return step.raw.replace("{id}", id);
  if (step.signed !== undefined) bytes.set(id, new Uint8Array([...task.delivered, ...new TextEncoder().encode(step.signed)]));
  const [kind, ...lines] = step.lines;
  return [kind, id, ...lines].join("\n");
}

function hex(content) {
  return content.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text) {
  return new Uint8Array((text.match(/../g) ?? []).map((digits) => parseInt(digits, 16)));
}
