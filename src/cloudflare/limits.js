// Counters of limits that all instances share: Durable Objects, one for each counter, so that none waits for another.

import { DurableObject } from "cloudflare:workers";
import { decide, givingBack } from "./edgate.js";
import { renew } from "./instance.js";

const STATE = "counter";

// How long an object sleeps before it looks whether its state still says something: a busy one would wake for nothing
// all the time, and some states last longer than an alarm can.
const LEAST_MS = 1_000;
const MOST_MS = 30 * 86_400_000;

// N, id, time-out in ms, then counters and questions in turn. Gives a promise of the answers, which fails for nothing.
// All are asked at once, and one timer is for all: what has not answered by then has timed out, the others have not.
export function count(cx, lines) {
  const objects = cx.env.EDGATE_LIMITS;
  if (typeof objects?.getByName !== "function") return "E\ndenied\nno Durable Object namespace is bound as EDGATE_LIMITS";
  const answers = ["N"];
  const asked = [];
  let late = false;
  return new Promise((reply) => {
    let waiting = (lines.length - 3) / 2;
    const timer = setTimeout(() => {
      late = true;
      cx.ctx.waitUntil(Promise.all(asked));
      reply(answers.join("\n"));
    }, Number(lines[2]));
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

// One counter. The core's arithmetic decides; this keeps the state, which is on the disk before the answer is out: the
// platform holds back what an object says until what it has written is kept.
export class EdgateLimits extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.storage = ctx.storage;
    // An alarm is set with the first change of each life: that costs no more than to ask for one, and mends one that
    // was lost.
    this.wakes = false;
    this.take(ctx.storage.kv.get(STATE));
  }

  // Until when the state says anything, and the state.
  take(kept) {
    const [until, ...state] = kept === undefined ? ["0"] : String(kept).split(" ");
    this.until = Number(until) || 0;
    this.state = kept === undefined ? undefined : state.join(" ");
  }

  // Decided and written before anything is waited for.
  count(ask) {
    const now = Date.now();
    const decided = inCore(decide, this.state, ask, now);
    if (decided === undefined) throw new Error("a question that cannot be read");
    const [answer, keep, state] = decided.split("\n");
    if (state === this.state) return answer;
    const until = now + Number(keep);
    if (state === undefined) this.storage.kv.delete(STATE);
    else this.storage.kv.put(STATE, `${until} ${state}`);
    this.state = state;
    this.until = until;
    if (this.wakes) return answer;
    this.wakes = true;
    return this.sleep(now).then(() => answer);
  }

  sleep(now) {
    return this.storage.setAlarm(Math.min(Math.max(this.until, now + LEAST_MS), now + MOST_MS));
  }

  // A state that says nothing any more is as good as none.
  async alarm() {
    const now = Date.now();
    this.wakes = this.until > now;
    if (this.wakes) return this.sleep(now);
    this.take(undefined);
    return this.storage.deleteAll();
  }
}
