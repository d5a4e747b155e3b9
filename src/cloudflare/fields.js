// Header sections: which of their fields cross, and what is changed of them.

// The fields that the gateway has to see, by direction, null for all of them; and what it asks of clients.
const EVERYTHING = { request: null, response: null, country: true, certificate: true };
export let wanted = EVERYTHING;

// Everything, until an instance says what it wants.
export function wantEverything() {
  wanted = EVERYTHING;
}

// I, number of names, the fields of requests, number of names, the fields of responses, wishes. Gives the lines after it.
export function want(lines) {
  const end = 2 + Number(lines[1]);
  const next = end + 1 + Number(lines[end]);
  wanted = wishes(lines.slice(2, end), lines.slice(end + 1, next), lines[next].split(" "));
  return lines.slice(next + 1);
}

function wishes(request, response, others) {
  return {
    request: others.includes("fields") ? null : new Set(["cf-connecting-ip", ...request, ...request.map(dashed)]),
    response: others.includes("answers") ? null : new Set(response),
    country: others.includes("country"),
    certificate: others.includes("certificate"),
  };
}

// Whether `Connection` names fields, which must all be seen then (RFC 9110, section 7.6.1).
export function namesOthers(headers) {
  const connection = headers.get("connection");
  return connection !== null && !/^(?:keep-alive|close|upgrade|te|[\s,])*$/i.test(connection);
}

// A field's name as servers read it that know no difference between `_` and `-` (src/headers.rs).
export function dashed(name) {
  return name.replaceAll("_", "-");
}

// Changes to a header section, from line `at` on.
export function change(lines, at, base) {
  const headers = lines[at] === "1" ? new Headers(base) : new Headers();
  apply(lines, at, headers);
  return headers;
}

export function apply(lines, at, headers) {
  let next = at + 2;
  for (const end = next + Number(lines[at + 1]); next < end; next++) headers.delete(lines[next]);
  const end = next + 1 + 2 * Number(lines[next]);
  for (next++; next < end; next += 2) headers.append(lines[next], lines[next + 1]);
  return end;
}
