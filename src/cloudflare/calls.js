// Requests that the core makes.

import { body } from "./edgate.js";
import { hold } from "./bodies.js";
import { change, namesOthers, wanted } from "./fields.js";

// F, id, method, URL, body, limit, time-out, upgrade, changes. Gives a promise of the reply, which fails for nothing: it
// is one promise, and no function waits, since each costs as much as a header section.
export function call(lines, cx, beside) {
  const [, id, method, url, kind, limit, timeout, upgrade] = lines;
  const headers = change(lines, 8, cx.request.headers);
  if (upgrade === "1") headers.set("upgrade", "websocket");
  // A request whose body turns out too large is broken off: it must not look complete to the upstream. One that nobody
  // waits for any more is, too. Nobody can stop waiting for the only one there is, and it has nothing to be broken by.
  const abort = limit || beside !== null ? new AbortController() : null;
  const counted = limit ? { most: Number(limit), over: false, abort } : null;
  let content = undefined;
  if (kind === "client") content = counted ? measure(cx.request.body, counted) : cx.request.body;
  else if (kind === "bytes") content = body(Number(id));
  // What an upstream has compressed for the client stays so, whatever it passes through.
  const own = lines[8] === "0";
  const encodeResponseBody = own ? "automatic" : "manual";
  const fetched = fetch(url, { method, headers, body: content, redirect: "manual", signal: abort?.signal, encodeResponseBody });
  return new Promise((reply) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reply("E\ntimeout\nno answer in time");
      abort?.abort();
    }, Number(timeout));
    if (beside !== null) {
      beside.stop = () => {
        late = true;
        clearTimeout(timer);
        abort.abort();
      };
    }
    fetched.then(
      (response) => {
        clearTimeout(timer);
        // A response that comes too late is let go. An upstream may answer a request whose body it did not get all of.
        if (late) return response.body?.cancel();
        try {
          reply(counted?.over ? "E\nbody-too-large\n" : received(id, response, cx, own));
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

// R, status, body, fields. A response to the gateway's own request is seen whole.
function received(id, response, cx, own) {
  const reply = ["R", response.status, response.body ? 1 : 0];
  const wants = own || namesOthers(response.headers) ? null : wanted.response;
  for (const [name, value] of response.headers) {
    if (wants === null || wants.has(name)) reply.push(name, value);
  }
  hold(cx, id, response);
  return reply.join("\n");
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
