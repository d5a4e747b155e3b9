// The end of an answer, for what goes on behind it.

// E, id, the most ms. Gives a promise of whether the answer of this request has ended, one way or the other. The end of a
// WebSocket would be seen only by whoever takes each message into his hands: it has ended when the time is over.
export function ended(cx, longest) {
  cx.end ??= Promise.withResolvers();
  return new Promise((reply) => {
    const timer = setTimeout(() => reply(cx.upgraded ? "V\n1\n" : "V\n0"), longest);
    cx.end.promise.then(() => {
      clearTimeout(timer);
      reply("V\n1\n");
    });
  });
}

// The answer has ended, or there will be none.
export function settle(cx) {
  cx.end ??= Promise.withResolvers();
  cx.end.resolve();
}

// A body whose end is seen: whether it is out, the client is gone, or the stream is broken. What is said of its length
// stays true.
export function watched(stream, response, cx) {
  if (stream === null) {
    settle(cx);
    return null;
  }
  const length = response.headers.get("content-length");
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(BigInt(length));
  const end = () => settle(cx);
  stream.pipeTo(writable).then(end, end);
  return readable;
}
