// Signatures, by WebCrypto. Keys cross once, and are kept in the platform's own form.

import { body } from "./edgate.js";

// What WebCrypto calls the algorithms: for keys, and for what is done with them.
const ALGORITHMS = {
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  RS384: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" },
  RS512: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" },
  PS256: { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 },
  PS384: { name: "RSA-PSS", hash: "SHA-384", saltLength: 48 },
  PS512: { name: "RSA-PSS", hash: "SHA-512", saltLength: 64 },
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  EdDSA: { name: "Ed25519" },
};

// Imported keys by name. The oldest makes room. No promises of keys: one that another request waits for as well may
// never be kept, when that request's client goes away.
const keys = new Map();
const MOST_KEYS = 256;
const UNKNOWN_KEY = "E\nunknown-key\n";

// A promise of a key that has just come.
function arrived(name, jwk, algorithm, usage) {
  const key = crypto.subtle.importKey("jwk", JSON.parse(jwk), algorithm, false, [usage]);
  return name === "" ? key : key.then((key) => keep(name, key));
}

function keep(name, key) {
  if (keys.size >= MOST_KEYS && !keys.has(name)) keys.delete(keys.keys().next().value);
  keys.set(name, key);
  return key;
}

// C, id, algorithm, key, JWK, length of the signature. Gives a promise of whether it holds, or what is in its place.
export function verify(lines) {
  const [, id, name, key, jwk, signature] = lines;
  const algorithm = ALGORITHMS[name];
  const bytes = body(Number(id));
  const length = Number(signature);
  const check = (key) => crypto.subtle.verify(algorithm, key, bytes.subarray(0, length), bytes.subarray(length));
  if (jwk !== "") return arrived(key, jwk, algorithm, "verify").then(check);
  const known = keys.get(key);
  return known === undefined ? UNKNOWN_KEY : check(known);
}

// A key that is none, and a signature that can be none, verify nothing. Everything else is the platform's failure.
export function unusable(error) {
  return /^(?:Data|InvalidAccess|Operation)Error$/.test(error?.name) ? false : `E\nother\n${error}`;
}

// K, id, algorithm, key, JWK.
export async function sign(lines) {
  const [, id, name, key, jwk] = lines;
  const algorithm = ALGORITHMS[name];
  const message = body(Number(id));
  try {
    const known = jwk === "" ? keys.get(key) : await arrived(key, jwk, algorithm, "sign");
    return known === undefined ? UNKNOWN_KEY : ["B", new Uint8Array(await crypto.subtle.sign(algorithm, known, message))];
  } catch (error) {
    return `E\nother\n${error}`;
  }
}
