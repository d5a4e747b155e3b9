// Responses that the core has not let go, by the identifiers of the requests that they answer, and reading bodies.

// Keeps a response, for the request and for what goes on behind it. More than one at a time is rare.
export function hold(cx, id, response) {
  const request = cx.behind ?? cx;
  if (request.response === null) {
    request.held = id;
    request.response = response;
  } else {
    request.others ??= new Map();
    request.others.set(id, response);
  }
}

// Hands a response out, or null where none is kept by this name.
export function take(cx, id) {
  const request = cx.behind ?? cx;
  if (request.response !== null && request.held === id) {
    const { response } = request;
    request.response = null;
    return response;
  }
  const response = request.others?.get(id) ?? null;
  if (response !== null) request.others.delete(id);
  return response;
}

// A body that nobody reads holds one of the six connections that a request may have.
export function letGo(response) {
  if (response !== null && response.body !== null && !response.bodyUsed) response.body.cancel().catch(() => {});
}

// B, id, whose, most, time-out. Gives a promise of the reply: `B` with the pieces, or the failure.
export function collect(lines, cx, beside) {
  const [, , whose, most, timeout] = lines;
  let reader;
  try {
    const message = whose === "request" ? cx.request : take(cx, whose);
    if (message.failure !== undefined) return message.failure;
    reader = message.body.getReader();
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
    if (beside !== null) beside.stop = stop;
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
  const pieces = ["B"];
  for (let bytes = 0; ; ) {
    const { value, done } = await reader.read();
    if (done) return pieces;
    bytes += value.byteLength;
    if (bytes > most) return null;
    pieces.push(value);
  }
}
