// The Worker's entry: it turns what the platform has into one string, asks the wasm what to do, and does it with the
// platform's own objects. It decides nothing. src/cloudflare/wire.rs says what the strings are.

import wasm from "./edgate_bg.wasm";
import { begin, body, deliver, initSync, load, resume, schedule } from "./edgate.js";
import { claim } from "./claims.js";
import { ended, settle, watched } from "./ends.js";
import { renew, worker } from "./instance.js";
import { admit, count } from "./limits.js";
import { sign, unusable, verify } from "./signatures.js";

export { EdgateClaims } from "./claims.js";
export { EdgateLimits } from "./limits.js";

initSync({ module: wasm });

// The header fields that the gateway has to see, by direction, null for all of them; and what it asks of clients.
const EVERYTHING = { request: null, response: null, country: true, certificate: true };
let wanted = EVERYTHING;

export default {
  fetch(request, env, ctx) {
    try {
      return drive(first(request, env), begun(request, env, ctx));
    } catch (error) {
      return lost(error);
    }
  },
  // What is done at a time, which is no client's request.
  async scheduled(controller, env, ctx) {
    try {
      configure(env);
      await drive(schedule(Date.now()), begun(new Request("http://schedule.invalid/"), env, ctx));
    } catch (error) {
      lost(error);
    }
  },
};

// What is known of a task from its beginning to its end.
function begun(request, env, ctx) {
  return { request, env, ctx, response: null, own: null, behind: null, end: null, upgraded: false, instance: worker.instanceId };
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
  wanted = EVERYTHING;
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

// Whether `Connection` names fields, which must all be seen then (RFC 9110, section 7.6.1).
function namesOthers(headers) {
  const connection = headers.get("connection");
  return connection !== null && !/^(?:keep-alive|close|upgrade|te|[\s,])*$/i.test(connection);
}

// A field's name as servers read it that know no difference between `_` and `-` (src/headers.rs).
function dashed(name) {
  return name.replaceAll("_", "-");
}

// Does one step after another, until the answer.
async function drive(step, cx) {
  try {
    for (;;) {
      let lines = step.split("\n");
      while (lines[0] === "W" || lines[0] === "I") {
        const end = 2 + Number(lines[1]);
        if (lines[0] === "W") {
          const behind = cx.behind ?? cx;
          cx.ctx.waitUntil(drive(lines.slice(2, end).join("\n"), { ...cx, response: null, own: null, behind }));
          lines = lines.slice(end);
        } else {
          const next = end + 1 + Number(lines[end]);
          wanted = wishes(lines.slice(2, end), lines.slice(end + 1, next), lines[next].split(" "));
          lines = lines.slice(next + 1);
        }
      }
      switch (lines[0]) {
        case "A":
        case "O":
          return answer(lines, cx);
        case "F":
          step = go(cx, lines, await call(lines, cx));
          break;
        case "B":
          step = go(cx, lines, await collect(lines, cx));
          break;
        case "C": {
          // One promise where the key is known: this is done for every token that was not seen before.
          let holds;
          try {
            holds = await verify(lines);
          } catch (error) {
            holds = unusable(error);
          }
          step = go(cx, lines, typeof holds === "string" ? holds : `V\n1\n${holds ? 1 : 0}`);
          break;
        }
        case "K":
          step = go(cx, lines, await sign(lines));
          break;
        case "L":
          step = go(cx, lines, await claim(cx.env, lines));
          break;
        case "N":
          step = go(cx, lines, await count(cx, lines));
          break;
        case "U":
          step = go(cx, lines, await admit(cx.env, lines));
          break;
        case "E":
          step = go(cx, lines, await ended(cx.behind ?? cx, Number(lines[2])));
          break;
        case "G":
          step = go(cx, lines, await read(cx.env, lines[2], lines[3]));
          break;
        case "P":
          step = go(cx, lines, await write(cx.env, lines[2], lines[3], lines[4], lines.slice(5).join("\n")));
          break;
        case "S":
          await new Promise((done) => setTimeout(done, Number(lines[2])));
          step = go(cx, lines, "V\n0");
          break;
        default:
          letGo(cx.own);
          return null;
      }
    }
  } catch (error) {
    if (cx.behind === null) settle(cx);
    return lost(error, cx);
  }
}

// Goes on in the instance where the task began. In another one, the task of that number is somebody else's.
function go(cx, lines, reply) {
  if (cx.instance !== worker.instanceId) throw new Error("the instance of this request has ended");
  if (typeof reply !== "string") {
    reply.forEach((piece) => deliver(piece));
    reply = "B";
  }
  return resume(Number(lines[1]), Date.now(), reply);
}

function wishes(request, response, others) {
  return {
    request: others.includes("fields") ? null : new Set(["cf-connecting-ip", ...request, ...request.map(dashed)]),
    response: others.includes("answers") ? null : new Set(response),
    country: others.includes("country"),
    certificate: others.includes("certificate"),
  };
}

// F, id, method, URL, body, limit, time-out, upgrade, changes. Gives a promise of the reply, which fails for nothing: it
// is one promise, and no function waits, since each costs as much as a header section.
function call(lines, cx) {
  const [, id, method, url, kind, limit, timeout, upgrade] = lines;
  const headers = change(lines, 8, cx.request.headers);
  if (upgrade === "1") headers.set("upgrade", "websocket");
  // A request whose body turns out too large is broken off: it must not look complete to the upstream.
  const counted = limit ? { most: Number(limit), over: false, abort: new AbortController() } : null;
  let content = undefined;
  if (kind === "client") content = counted ? measure(cx.request.body, counted) : cx.request.body;
  else if (kind === "bytes") content = body(Number(id));
  // What an upstream has compressed for the client stays so, whatever it passes through.
  const own = lines[8] === "0";
  const encodeResponseBody = own ? "automatic" : "manual";
  const fetched = fetch(url, { method, headers, body: content, redirect: "manual", signal: counted?.abort.signal, encodeResponseBody });
  return new Promise((reply) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reply("E\ntimeout\nno answer in time");
    }, Number(timeout));
    fetched.then(
      (response) => {
        clearTimeout(timer);
        // A response that comes too late is let go. An upstream may answer a request whose body it did not get all of.
        if (late) return response.body?.cancel();
        try {
          reply(counted?.over ? "E\nbody-too-large\n" : received(response, cx, own));
        } catch (error) {
          reply(`E\nother\n${error}`);
        }
      },
      (error) => {
        clearTimeout(timer);
        // workerd has the same words for every way in which an upstream gives no answer.
        reply(`E\n${counted?.over ? "body-too-large" : "disconnected"}\n${error}`);
      },
    );
  });
}

// R, status, body, fields. A response to the gateway's own request is seen whole, and takes nobody's place.
function received(response, cx, own) {
  const place = own ? "own" : "response";
  letGo(cx[place]);
  cx[place] = response;
  const reply = ["R", response.status, response.body ? 1 : 0];
  const wants = own || namesOthers(response.headers) ? null : wanted.response;
  for (const [name, value] of response.headers) {
    if (wants === null || wants.has(name)) reply.push(name, value);
  }
  return reply.join("\n");
}

// A body that nobody reads holds one of the six connections that a request may have.
function letGo(response) {
  if (response !== null && response.body !== null && !response.bodyUsed) response.body.cancel().catch(() => {});
}

// B, id, whose, most, time-out. Gives a promise of the pieces, or of the failure.
function collect(lines, cx) {
  const [, , whose, most, timeout] = lines;
  let reader;
  try {
    reader = cx[whose].body.getReader();
  } catch (error) {
    // It was read already, or is gone.
    return `E\nother\n${error}`;
  }
  return new Promise((reply) => {
    const stop = (failure) => {
      clearTimeout(timer);
      reply(failure);
      reader.cancel().catch(() => {});
    };
    const timer = setTimeout(stop, Number(timeout), "E\ntimeout\n");
    gather(reader, Number(most)).then(
      (pieces) => {
        if (pieces === null) return stop("E\nbody-too-large\n");
        clearTimeout(timer);
        reply(pieces);
      },
      (error) => stop(`E\ndisconnected\n${error}`),
    );
  });
}

// Reads to the end. Null where that is too far.
async function gather(reader, most) {
  const pieces = [];
  for (let bytes = 0; ; ) {
    const { value, done } = await reader.read();
    if (done) return pieces;
    bytes += value.byteLength;
    if (bytes > most) return null;
    pieces.push(value);
  }
}

// Lets at most so many bytes pass. All go through one buffer: chunks of their own would be garbage of the body's size.
function measure(stream, counted) {
  const { readable, writable } = new IdentityTransformStream();
  pass(stream.getReader({ mode: "byob" }), writable.getWriter(), counted).catch(() => counted.abort.abort());
  return readable;
}

async function pass(reader, writer, counted) {
  let buffer = new ArrayBuffer(65536);
  for (let bytes = 0; ; ) {
    const { value, done } = await reader.read(new Uint8Array(buffer));
    if (done) return writer.close();
    bytes += value.byteLength;
    if (bytes > counted.most) {
      counted.over = true;
      return counted.abort.abort();
    }
    await writer.write(value);
    buffer = value.buffer;
  }
}

// Changes to a header section, from line `at` on.
function change(lines, at, base) {
  const headers = lines[at] === "1" ? new Headers(base) : new Headers();
  apply(lines, at, headers);
  return headers;
}

function apply(lines, at, headers) {
  let next = at + 2;
  for (const end = next + Number(lines[at + 1]); next < end; next++) headers.delete(lines[next]);
  const end = next + 1 + 2 * Number(lines[next]);
  for (next++; next < end; next += 2) headers.append(lines[next], lines[next + 1]);
  return end;
}

// A or O, status, kind of body, changes, text.
function answer(lines, cx) {
  const status = Number(lines[1]);
  const kind = lines[2];
  const upstream = cx.response;
  if (kind !== "own") letGo(cx.own);
  if (kind === "upgrade") {
    cx.upgraded = true;
    return new Response(null, { status: 101, webSocket: upstream.webSocket, headers: change(lines, 3, upstream.headers) });
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
  letGo(upstream);
  if (kind === "own") return new Response(pass(cx.own.body, cx.own, cx), { status, headers });
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
