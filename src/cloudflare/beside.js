// Operations of one task that are under way at the same time. Nothing of this is there for a task that waits for one
// thing after the other.

import { letGo, take } from "./bodies.js";

// M, number of operations, then for each of them the number of its lines, and those. All begin at once; each has an
// answer of its own, whatever comes of the others.
export function start(lines, cx, perform) {
  cx.beside ??= { all: new Map(), arrived: [], wake: null };
  const alarms = new Map();
  for (let at = 2; at < lines.length; ) {
    const end = at + 1 + Number(lines[at]);
    begin(lines.slice(at + 1, end), cx, perform, alarms);
    at = end;
  }
}

// `stop` is what ends it early, where something does.
function begin(lines, cx, perform, alarms) {
  const beside = { lines, alarms, reply: null, stop: null };
  cx.beside.all.set(lines[1], beside);
  Promise.resolve(perform(lines, cx, beside)).then(
    (reply) => arrive(cx, beside, reply),
    (error) => arrive(cx, beside, `E\nother\n${error}`),
  );
}

function arrive(cx, beside, reply) {
  if (cx.beside.all.get(beside.lines[1]) !== beside) return;
  beside.reply = reply;
  cx.beside.arrived.push(beside);
  cx.beside.wake?.();
}

// Gives a promise of the next one that has come to its end.
export async function next(cx) {
  const { all, arrived } = cx.beside;
  if (arrived.length === 0) await new Promise((wake) => (cx.beside.wake = wake));
  const beside = arrived.shift();
  all.delete(beside.lines[1]);
  return beside;
}

// X, number, what nobody waits for any more: operations, and responses. Such an operation has no reply, also where that
// has come and waits for its turn.
export function release(ids, cx) {
  for (const id of ids) {
    const beside = cx.beside?.all.get(id);
    if (beside !== undefined) {
      cx.beside.all.delete(id);
      cx.beside.arrived = cx.beside.arrived.filter((other) => other !== beside);
      beside.stop?.();
    }
    letGo(take(cx, id));
  }
}

// Ends all that is under way for a task that is lost.
export function halt(cx) {
  if (cx.beside !== null) release([...cx.beside.all.keys()], cx);
}
