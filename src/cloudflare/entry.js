// The Worker's entry: it turns what the platform has into one string, asks the wasm what to do, and does it with the
// platform's own objects. It decides nothing. src/cloudflare/wire.rs says what the strings are.

import wasm from "./edgate_bg.wasm";
import { begin, body, deliver, initSync, load, resume, schedule } from "./edgate.js";
import { halt, next, release, start } from "./beside.js";
import { collect, take } from "./bodies.js";
import { call } from "./calls.js";
import { claim, swap } from "./claims.js";
import { ended, settle, watched } from "./ends.js";
import { apply, change, dashed, namesOthers, want, wanted, wantEverything } from "./fields.js";
import { renew, worker } from "./instance.js";
import { admit, count } from "./limits.js";
import { sign, unusable, verify } from "./signatures.js";

export { EdgateClaims } from "./claims.js";
export { EdgateLimits } from "./limits.js";

initSync({ module: wasm });

export default {
  fetch(request, env, ctx) {
    try {
      return drive(first(request, env), begun(request, env, ctx));
    } catch (error) {
      return lost(error);
    }
  },
  // What is done at a time, which is no client's request. It is done for the time that was meant: it may be late.
  async scheduled(controller, env, ctx) {
    try {
      configure(env);
      await drive(schedule(controller.scheduledTime), begun(new Request("http://schedule.invalid/"), env, ctx));
    } catch (error) {
      lost(error);
    }
  },
};

// What is known of a request while it is done: a response that the core has not let go with its identifier, the others
// that are there at the same time, and what is under way beside each other; for what goes on behind it, the request's own.
function begun(request, env, ctx) {
  return {
    request, env, ctx, held: "", response: null, others: null, beside: null, behind: null, end: null, upgraded: false,
    instance: worker.instanceId,
  };
}

// A request's first step.
function first(request, env) {
  configure(env);
  const cf = request.cf;
  // An array that is joined once: a string that grows is flattened again and again.
  const lines = [request.method, request.url, cf?.httpProtocol ?? "", wanted.country || wanted.certificate ? client(cf) : ""];
  const wants = namesOthers(request.headers) ? null : wanted.request;
  let size = 0;
  for (const [name, value] of request.headers) {
    size += name.length + value.length + 4;
    if (wants === null || wants.has(name) || (name.includes("_") && wants.has(dashed(name)))) lines.push(name, value);
  }
  return begin(Date.now(), request.body !== null, size, lines.join("\n"));
}

// An instance reads its configuration before it does anything.
function configure(env) {
  if (worker.loaded) return;
  wantEverything();
  load(env);
  worker.loaded = true;
}

// What is known of the client.
function client(cf) {
  const tls = wanted.certificate ? cf?.tlsClientAuth : undefined;
  const presented = tls?.certPresented === "1";
  if (!presented && !wanted.country) return "";
  const facts = [cf?.country ?? null];
  if (presented) {
    facts.push(tls.certPresented, tls.certVerified, tls.certRevoked, tls.certFingerprintSHA256);
    facts.push(tls.certSubjectDNRFC2253, tls.certIssuerDNRFC2253, tls.certSerial, tls.certNotAfter);
  }
  return JSON.stringify(facts);
}

// This request is lost; the next one begins with a fresh instance, which has to be told everything again.
function lost(error, cx) {
  console.error(error);
  // A request of an instance that ended before says nothing about this one.
  if (cx === undefined || cx.instance === worker.instanceId) renew();
  return new Response("500 Internal Server Error\n", { status: 500, headers: { "content-type": "text/plain; charset=utf-8" } });
}

// Does one step after another, until the answer.
async function drive(step, cx) {
  try {
    for (;;) {
      const lines = before(step.split("\n"), cx);
      switch (lines[0]) {
        case "A":
        case "O":
          return answer(lines, cx);
        case "D":
          return null;
        case "C": {
          // One promise where the key is known: this is done for every token that was not seen before.
          let holds;
          try {
            holds = await verify(lines);
          } catch (error) {
            holds = unusable(error);
          }
          step = go(cx, lines, told(holds));
          break;
        }
        case "M": {
          start(lines, cx, perform);
          const arrived = await next(cx);
          step = go(cx, arrived.lines, arrived.reply);
          break;
        }
        default:
          step = go(cx, lines, await perform(lines, cx, null));
      }
    }
  } catch (error) {
    if (cx.behind === null) settle(cx);
    halt(cx);
    return lost(error, cx);
  }
}

// Does what stands before a step, and gives its own lines.
function before(lines, cx) {
  for (;;) {
    switch (lines[0]) {
      case "I":
        lines = want(lines);
        break;
      case "W": {
        const end = 2 + Number(lines[1]);
        cx.ctx.waitUntil(drive(lines.slice(2, end).join("\n"), { ...cx, beside: null, behind: cx.behind ?? cx }));
        lines = lines.slice(end);
        break;
      }
      case "X": {
        const end = 2 + Number(lines[1]);
        release(lines.slice(2, end), cx);
        lines = lines.slice(end);
        break;
      }
      default:
        return lines;
    }
  }
}

// Begins an operation. Gives its reply, or a promise of it. `beside` is what others can end it by, or null where there are
// no others.
function perform(lines, cx, beside) {
  try {
    switch (lines[0]) {
      case "F":
        return call(lines, cx, beside);
      case "B":
        return collect(lines, cx, beside);
      case "C": {
        const verified = verify(lines);
        return typeof verified === "string" ? verified : verified.then(told, (error) => told(unusable(error)));
      }
      case "K":
        return sign(lines);
      case "L":
        return claim(cx.env, lines);
      case "H":
        return swap(cx.env, lines);
      case "N":
        return count(cx, lines, beside);
      case "U":
        return admit(cx.env, lines);
      case "E":
        return ended(cx.behind ?? cx, Number(lines[2]));
      case "G":
        return read(cx.env, lines[2], lines[3]);
      case "P":
        return write(cx.env, lines[2], lines[3], lines[4], lines.slice(5).join("\n"));
      case "S":
        return new Promise((done) => {
          const timer = setTimeout(done, Number(lines[2]), "V\n0");
          if (beside !== null) beside.stop = () => clearTimeout(timer);
        });
      default:
        return "E\nother\nan operation that is not known";
    }
  } catch (error) {
    return `E\nother\n${error}`;
  }
}

// What is said of a signature.
function told(holds) {
  return typeof holds === "string" ? holds : `V\n1\n${holds ? 1 : 0}`;
}

// Goes on in the instance where the task began. In another one, the operation of that number is somebody else's.
function go(cx, lines, reply) {
  if (cx.instance !== worker.instanceId) throw new Error("the instance of this request has ended");
  if (typeof reply !== "string") {
    for (let at = 1; at < reply.length; at++) deliver(reply[at]);
    reply = reply[0];
  }
  return resume(Number(lines[1]), Date.now(), reply);
}

// A or O, status, body, changes, text. The body is that of a response, by its identifier, or a kind.
function answer(lines, cx) {
  const status = Number(lines[1]);
  const kind = lines[2];
  const upstream = take(cx, kind);
  if (upstream !== null && status === 101) {
    cx.upgraded = true;
    return new Response(null, { status, webSocket: upstream.webSocket, headers: change(lines, 3, upstream.headers) });
  }
  const pass = lines[0] === "O" ? watched : unseen;
  if (lines[3] === "1") {
    const init = status === upstream.status ? upstream : { status, headers: upstream.headers, encodeBody: "manual" };
    const response = new Response(pass(upstream.body, upstream, cx), init);
    apply(lines, 3, response.headers);
    return response;
  }
  const headers = new Headers();
  const end = apply(lines, 3, headers);
  if (upstream !== null) return new Response(pass(upstream.body, upstream, cx), { status, headers });
  if (lines[0] === "O") settle(cx);
  const content = kind === "text" ? lines.slice(end).join("\n") : kind === "binary" ? body(0) : null;
  return new Response(content, { status, headers });
}

// Nobody waits for the end of this body.
function unseen(stream) {
  return stream;
}

async function read(env, store, key) {
  try {
    const value = await namespace(env, store).get(key, "text");
    return value === null ? "V\n0" : `V\n1\n${value}`;
  } catch (error) {
    return failed(error);
  }
}

async function write(env, store, key, ttl, value) {
  try {
    await namespace(env, store).put(key, value, ttl ? { expirationTtl: Number(ttl) } : undefined);
    return "V\n0";
  } catch (error) {
    return failed(error);
  }
}

function namespace(env, store) {
  const namespace = env[store];
  if (typeof namespace?.get !== "function") throw new Error(`no key-value namespace is bound as ${store}`);
  return namespace;
}

function failed(error) {
  return `E\n${/no key-value namespace/.test(error) ? "denied" : "other"}\n${error}`;
}
