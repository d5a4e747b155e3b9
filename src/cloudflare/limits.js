// Counters of limits that all instances share: Durable Objects, one for each counter, so that none waits for another.

import { DurableObject } from "cloudflare:workers";
import { decide, givingBack } from "./edgate.js";
import { renew } from "./instance.js";

const STATE = "counter";

// How long an object sleeps before it looks whether its state still says something: a busy one would wake for nothing
// all the time, and some states last longer than an alarm can.
const LEAST_MS = 1_000;
const MOST_MS = 30 * 86_400_000;

// Of which meters something can be taken ahead: those where all that has been taken is one number. In a window that moves
// it counts from when it was taken.
const AHEAD = /(?:bucket|until) .*$/;

// How soon a counter that is busy writes again; how much it takes ahead at most, which part of what is left; and for how
// long at most more is written than has been taken.
const BUSY_MS = 50;
const MOST_AHEAD = 64;
const SHARE_AHEAD = 0.05;
const SETTLE_MS = 1_000;

// N, id, time-out in ms, then counters and questions in turn. Gives a promise of the answers, which fails for nothing.
// All are asked at once, and one timer is for all: what has not answered by then has timed out, the others have not.
export function count(cx, lines, beside) {
  const objects = cx.env.EDGATE_LIMITS;
  if (typeof objects?.getByName !== "function") return "E\ndenied\nno Durable Object namespace is bound as EDGATE_LIMITS";
  const answers = ["N"];
  const asked = [];
  let late = false;
  return new Promise((reply) => {
    let waiting = (lines.length - 3) / 2;
    const stop = () => {
      late = true;
      clearTimeout(timer);
      cx.ctx.waitUntil(Promise.all(asked));
      reply(answers.join("\n"));
    };
    const timer = setTimeout(stop, Number(lines[2]));
    if (beside !== null) beside.stop = stop;
    for (let at = 3, place = 1; at < lines.length; at += 2, place++) {
      answers.push("E timeout");
      const settle = (answer) => {
        if (late) return giveBack(objects, lines[at], lines[at + 1], answer);
        answers[place] = answer;
        if (--waiting > 0) return;
        clearTimeout(timer);
        reply(answers.join("\n"));
      };
      const failed = (error) => settle(failure(error));
      try {
        asked.push(objects.getByName(lines[at]).count(lines[at + 1]).then(settle, failed));
      } catch (error) {
        failed(error);
      }
    }
  });
}

// What a counter has given when nobody waited for it any more would count for nothing.
function giveBack(objects, counter, ask, answer) {
  const question = inCore(givingBack, ask, answer);
  // Where that fails, too, it counts until it runs out.
  if (question !== undefined) return objects.getByName(counter).count(question).then(undefined, () => {});
}

function failure(error) {
  return `E other ${error}`.replaceAll("\n", " ");
}

// U, id, binding, time-out in ms, key. Gives a promise of whether the platform's own limiter lets one more pass.
export function admit(env, lines) {
  const limiter = env[lines[2]];
  if (typeof limiter?.limit !== "function") return `E\ndenied\nno rate limiter is bound as ${lines[2]}`;
  return new Promise((reply) => {
    const timer = setTimeout(reply, Number(lines[3]), "E\ntimeout\n");
    const settle = (answer) => {
      clearTimeout(timer);
      reply(answer);
    };
    limiter.limit({ key: lines[4] }).then(
      ({ success }) => settle(`V\n1\n${success ? 1 : 0}`),
      (error) => settle(`E\nother\n${error}`),
    );
  });
}

// Asks the core, of which any instance will do.
function inCore(ask, ...of) {
  try {
    return ask(...of);
  } catch (error) {
    renew();
    throw error;
  }
}

// Asks the core what a counter answers to a question: the answer, for how long the state says anything, the state.
function decided(state, ask, now) {
  const text = inCore(decide, state, ask, now);
  if (text === undefined) throw new Error("a question that cannot be read");
  return text.split("\n");
}

// How much an answer says is left.
function left([answer]) {
  return Number(answer.split(" ")[1]);
}

// One counter. The core's arithmetic decides; this keeps the state, which is on the disk before the answer is out: the
// platform holds back what an object says until what it has written is kept.
//
// To write takes longer than all the rest, and costs more. So a busy counter writes a state in which more has been taken,
// and then none until that is used up. Where the object ends in between, what had been taken ahead counts until it runs
// out: too little is admitted, never too much.
export class EdgateLimits extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.storage = ctx.storage;
    // An alarm is set with the first change of each life: that costs no more than to ask for one, and mends one that
    // was lost.
    this.wakes = false;
    this.changed = 0;
    this.written = 0;
    // How much was taken ahead when the state was written last, and whether that will be put right.
    this.spare = 0;
    this.settles = false;
    this.take(ctx.storage.kv.get(STATE));
  }

  // Until when the state says anything, the state, and by which meter it is ahead, if it is.
  take(kept) {
    const [line, meter] = kept === undefined ? ["0"] : String(kept).split("\n");
    const [until, ...state] = line.split(" ");
    this.until = Number(until) || 0;
    this.state = kept === undefined ? undefined : state.join(" ");
    // To a meter by which more comes back, a state that is older than what was taken last would not be ahead. So its time
    // becomes now, by its own meter; less than one of it may have been gone.
    const now = Date.now();
    const text = meter !== undefined && this.until > now ? inCore(decide, this.state, `charge 1 ${meter}`, now) : undefined;
    if (text !== undefined) this.state = text.split("\n")[2];
    // What is written, where that is not the state, and by which meter more was taken.
    this.ahead = undefined;
    this.meter = undefined;
  }

  // Decided and written before anything is waited for.
  count(ask) {
    const now = Date.now();
    const decision = decided(this.state, ask, now);
    const [answer, keep, state] = decision;
    if (state === this.state) return answer;
    this.state = state;
    this.until = now + Number(keep);
    this.changed = now;
    const meter = AHEAD.exec(ask)?.[0];
    if (this.isAhead(meter, left(decision), now)) return answer;
    this.write(meter, left(decision), now);
    if (this.wakes) return answer;
    this.wakes = true;
    return this.sleep(now).then(() => answer);
  }

  // Whether what is written leaves less than the state does. Less than one is not seen, so as much is not enough.
  isAhead(meter, most, now) {
    if (this.ahead === undefined || this.state === undefined || this.meter !== meter) return false;
    return left(decided(this.ahead, `look 1 ${meter}`, now)) < most;
  }

  // Writes the state, and takes some ahead where the last time was a moment ago.
  write(meter, most, now) {
    const busy = now - this.written < BUSY_MS && meter !== undefined;
    this.spare = busy ? Math.min(2 * this.spare + 1, MOST_AHEAD, Math.floor(most * SHARE_AHEAD)) : 0;
    this.written = now;
    this.ahead = undefined;
    if (this.state === undefined) return this.storage.kv.delete(STATE);
    if (this.spare === 0) return this.storage.kv.put(STATE, `${this.until} ${this.state}`);
    const [, keep, state] = decided(this.state, `take 1 ${this.spare} ${meter}`, now);
    this.ahead = state;
    this.meter = meter;
    this.storage.kv.put(STATE, `${now + Number(keep)} ${state}\n${meter}`);
    if (this.settles) return;
    this.settles = true;
    setTimeout(() => this.settle(), SETTLE_MS);
  }

  // Writes the state as it is, long before an idle object leaves the memory.
  settle() {
    this.settles = false;
    if (this.ahead === undefined) return;
    this.ahead = undefined;
    if (this.state === undefined) this.storage.kv.delete(STATE);
    else this.storage.kv.put(STATE, `${this.until} ${this.state}`);
  }

  sleep(now) {
    return this.storage.setAlarm(Math.min(Math.max(this.until, now + LEAST_MS), now + MOST_MS));
  }

  // A state that says nothing any more is as good as none, where nobody is about to ask for it again.
  async alarm() {
    const now = Date.now();
    this.wakes = this.until > now || now - this.changed < LEAST_MS;
    if (this.wakes) return this.sleep(now);
    this.take(undefined);
    return this.storage.deleteAll();
  }
}
