// Stands in for the wasm and what binds it: tasks do what a script says, and answer with what they were told.
//
// The binding SCRIPTS has a list of steps for each path. A step has `lines`, into which the identifier is put, and may
// have `bytes` in hexadecimal; `signed` is a text that comes after what was delivered last. `raw` is a step as it
// stands but for `{id}`. `behind` is a list of steps of a task that goes on behind this one;
// what it was told is logged. `many` is a list of operations to begin beside each other, none to wait for another one
// that is under way; its replies are told with the names of their operations. `gone` is a list of what is let go before
// a step. `trap` ends the instance.
//
// An operation may have a name, `as`. `{that name}` stands for its identifier in the steps after it, and `{last}` for that
// of the last request. After the last step, the answer is JSON: the request as it came, and every reply.

globalThis.__worker_init_state = { instanceId: 1 };

// The tasks, by the identifiers of the operations that are under way for them.
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
  const path = new URL(text.split("\n")[1]).pathname;
  return next({ steps: [...scripts[path]], seen: [text], delivered: [], ids: {}, names: {} });
}

export function resume(id, _now, reply) {
  const task = tasks.get(id);
  if (task === undefined) throw new Error(`nobody waits for ${id}`);
  tasks.delete(id);
  if (reply === "B") task.delivered = delivered;
  const told = reply === "B" || delivered.length > 0 ? `${reply} ${hex(delivered)}` : reply;
  task.seen.push(task.names[id] === undefined ? told : `${task.names[id]}: ${told}`);
  delivered = [];
  return next(task);
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
// until LIMIT`, `charge AMOUNT until LIMIT` and `look LEAST until LIMIT` are as the core has them.
export function decide(state, ask) {
  const [act, keep] = ask.split(" ");
  const limit = / until ([0-9]+)$/.exec(ask)?.[1];
  if (limit !== undefined) return withLimit(Number(state ?? 0), ask.split(" "), Number(limit));
  if (act === "trap") throw new Error("a trap\nof two lines");
  if (act === "add") return `${Number(state ?? 0) + 1} 0 0 0 0 0\n${keep}\n${Number(state ?? 0) + 1}`;
  if (act === "look") return `${state ?? 0} 0 0 0 0 0\n0${state === undefined ? "" : `\n${state}`}`;
  if (act === "forget") return "0 0 0 0 0 0\n0";
}

function withLimit(count, [act, amount, most], limit) {
  const taken = act === "take" ? Math.min(Number(most), limit - count) : act === "charge" ? Number(amount) : 0;
  return `${taken} ${limit - count - taken} 0 0 0 0\n60000\n${count + taken}`;
}

// What `add` has counted is given back with `forget`.
export function givingBack(ask) {
  return ask.startsWith("add") ? "forget" : undefined;
}

function behind(task, steps) {
  const first = next({ steps: [...steps], seen: [], delivered: [], ids: { ...task.ids }, names: {}, behind: true });
  return `W\n${first.split("\n").length}\n${first}\n`;
}

function next(task) {
  const step = task.steps.shift();
  if (step === undefined && task.behind) {
    console.log(`behind: ${JSON.stringify(task.seen)}`);
    return "D";
  }
  if (step === undefined) return `A\n200\ntext\n0\n0\n0\n${JSON.stringify(task.seen)}`;
  if (step.trap !== undefined) trap(step.trap);
  if (step.behind !== undefined) return behind(task, step.behind) + named(task, step.raw);
  return gone(task, step.gone ?? []) + (step.many === undefined ? operation(task, step) : many(task, step.many));
}

// The binding layer makes a new instance with the next call after one has ended: here it is there at once.
function trap(text) {
  globalThis.__worker_init_state.instanceId++;
  tasks.clear();
  last = 0;
  throw new Error(text);
}

function gone(task, names) {
  const ids = names.map((name) => task.ids[name]);
  ids.forEach((id) => tasks.delete(id));
  return ids.length === 0 ? "" : `X\n${ids.length}\n${ids.join("\n")}\n`;
}

function many(task, steps) {
  const all = steps.map((step) => operation(task, step)).map((text) => `\n${text.split("\n").length}\n${text}`);
  return `M\n${all.length}${all.join("")}`;
}

function operation(task, step) {
  const id = ++last;
  tasks.set(id, task);
  const lines = named(task, (step.lines ?? []).join("\n"));
  const raw = named(task, step.raw ?? "").replace("{id}", id);
  if (step.as !== undefined) task.names[id] = step.as;
  if (step.as !== undefined) task.ids[step.as] = id;
  if (step.lines?.[0] === "F") task.ids.last = id;
  if (step.bytes !== undefined) bytes.set(id, unhex(step.bytes));
  if (step.raw !== undefined) return raw;
  if (step.signed !== undefined) bytes.set(id, new Uint8Array([...task.delivered, ...new TextEncoder().encode(step.signed)]));
  const [kind, ...rest] = lines.split("\n");
  return [kind, id, ...rest].join("\n");
}

// A text with identifiers for names.
function named(task, text) {
  return text.replace(/\{([a-z]+)\}/g, (all, name) => task.ids[name] ?? all);
}

function hex(content) {
  return content.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text) {
  return new Uint8Array((text.match(/../g) ?? []).map((digits) => parseInt(digits, 16)));
}
