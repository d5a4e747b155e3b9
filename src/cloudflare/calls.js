// Requests that the core makes.

import { body } from "./edgate.js";
import { alarm } from "./alarms.js";
import { hold } from "./bodies.js";
import { change, namesOthers, wanted } from "./fields.js";

// F, id, method, URL, body, limit, time-out, upgrade, most, changes. Gives a promise of the reply, which fails for
// nothing: it is one promise, and no function waits, since each costs as much as a header section.
export function call(lines, cx, beside) {
  const [, id, method, url, kind, limit, timeout, upgrade, most] = lines;
  const headers = (most && few(lines, 9)) || change(lines, 9, cx.request.headers);
  if (upgrade === "1") headers.set("upgrade", "websocket");
  // A request whose body turns out too large is broken off: it must not look complete to the upstream. One that nobody
  // waits for any more is, too. Nobody can stop waiting for the only one there is, and it has nothing to be broken by.
  const abort = limit || beside !== null ? new AbortController() : null;
  const counted = limit ? { most: Number(limit), over: false, abort } : null;
  let content = undefined;
  if (kind === "client") content = counted ? measure(cx.request.body, counted) : cx.request.body;
  else if (kind === "bytes") content = body(Number(id));
  // What an upstream has compressed for the client stays so, whatever it passes through.
  const own = lines[9] === "0";
  const encodeResponseBody = own ? "automatic" : "manual";
  const fetched = fetch(url, { method, headers, body: content, redirect: "manual", signal: abort?.signal, encodeResponseBody });
  return new Promise((reply) => {
    let late = false;
    let begun = null;
    const quiet = alarm(beside?.alarms, timeout, () => {
      late = true;
      // An answer that has begun is one: its body is what fails.
      reply(begun === null ? "E\ntimeout\nno answer in time" : broken(id, cx, begun, "E\ntimeout\n"));
      abort?.abort();
    });
    if (beside !== null) {
      beside.stop = () => {
        late = true;
        quiet();
        abort.abort();
      };
    }
    fetched.then(
      (response) => {
        // A response that comes too late is let go. An upstream may answer a request whose body it did not get all of.
        if (late) return response.body?.cancel();
        try {
          if (most && isKnown(response, Number(most))) {
            begun = response;
            return response.arrayBuffer().then(
              (content) => {
                quiet();
                reply([seen(response, 2, wanted.response), new Uint8Array(content)]);
              },
              (error) => {
                if (late) return;
                quiet();
                reply(broken(id, cx, response, `E\ndisconnected\n${error}`));
              },
            );
          }
          quiet();
          if (counted?.over) return reply("E\nbody-too-large\n");
          const text = seen(response, response.body ? 1 : 0, (own && !most) || namesOthers(response.headers) ? null : wanted.response);
          hold(cx, id, response);
          reply(text);
        } catch (error) {
          quiet();
          reply(`E\nother\n${error}`);
        }
      },
      (error) => {
        quiet();
        reply(`E\n${counted?.over ? "body-too-large" : unsent(error)}\n${error}`);
      },
    );
  });
}

// workerd has the same words for every way in which an upstream gives no answer, and others for what it does not send.
function unsent(error) {
  return error instanceof TypeError || /^Too many subrequests/.test(error?.message) ? "unsendable" : "disconnected";
}

// The fields of changes that begin with nothing, remove nothing, and name each field once: a section of the platform's own
// costs more. Null for all others.
function few(lines, at) {
  if (lines[at] !== "0" || lines[at + 1] !== "0") return null;
  const fields = { __proto__: null };
  const end = at + 3 + 2 * Number(lines[at + 2]);
  for (let next = at + 3; next < end; next += 2) {
    if (lines[next] in fields) return null;
    fields[lines[next]] = lines[next + 1];
  }
  return fields;
}

// Whether a body can be read in one go: it is no longer than it says, since nothing unpacks it.
function isKnown(response, most) {
  if (!response.ok || response.body === null) return false;
  const length = response.headers.get("content-length");
  return length !== null && Number(length) <= most && !response.headers.has("content-encoding");
}

// R, status, body, fields.
function seen(response, kind, wants) {
  const reply = ["R", response.status, kind];
  if (wants !== null && wants.size <= FEW && !wants.has("set-cookie")) {
    for (const name of wants) {
      const value = response.headers.get(name);
      if (value !== null) reply.push(name, value);
    }
  } else {
    for (const [name, value] of response.headers) {
      if (wants === null || wants.has(name)) reply.push(name, value);
    }
  }
  return reply.join("\n");
}

// To ask for some fields costs less than to see all of them.
const FEW = 4;

// The reply of a response whose body cannot be read, and why it cannot.
function broken(id, cx, response, failure) {
  hold(cx, id, { body: null, failure });
  return seen(response, 1, wanted.response);
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
