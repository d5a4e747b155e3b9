// A small proxy that the tests of the workerd runner run: `UPSTREAM` is where it goes, /values/KEY is the namespace
// `STORE`, /bindings shows what is bound.
import { value } from "./parts/value.js";

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    console.log(JSON.stringify({ kind: "access", path: url.pathname, client: request.headers.get("cf-connecting-ip") }));
    if (url.pathname === "/bindings") return Response.json(env);
    if (url.pathname.startsWith("/values/")) return value(request, env.STORE, url);
    // Without this, workerd closes the client's connection where the upstream's broke.
    return fetch(env.UPSTREAM + url.pathname + url.search, request).catch(
      (error) => new Response(String(error), { status: 502 }),
    );
  },
};
