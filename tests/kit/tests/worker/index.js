// A small proxy that the tests of the workerd runner run: `UPSTREAM` is where it goes, /values/KEY is the namespace
// `STORE`, /bindings shows what is bound, /cf what the edge knows, /object how often the object was called, /counter what
// a counter says, /limiter what the rate limiter says.
import { DurableObject } from "cloudflare:workers";
import { value } from "./parts/value.js";

export class EdgateClaims extends DurableObject {
  count() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS calls (at INTEGER)");
    this.ctx.storage.sql.exec("INSERT INTO calls VALUES (0)");
    return this.ctx.storage.sql.exec("SELECT count(*) AS count FROM calls").one().count;
  }
}

export class EdgateLimits extends DurableObject {
  count(ask) {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    return `${ask} ${count}`;
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    console.log(JSON.stringify({ kind: "access", path: url.pathname, client: request.headers.get("cf-connecting-ip") }));
    if (url.pathname === "/bindings") return Response.json(env);
    if (url.pathname === "/cf") return Response.json([request.cf, request.headers.get("cf-blob")]);
    if (url.pathname === "/object") return Response.json(await env.EDGATE_CLAIMS.get(env.EDGATE_CLAIMS.idFromName("")).count());
    if (url.pathname === "/counter") return Response.json(await env.EDGATE_LIMITS.getByName("one").count("a"));
    if (url.pathname === "/limiter") return Response.json(await env.LIMITER.limit({ key: "a" }));
    if (url.pathname.startsWith("/values/")) return value(request, env.STORE, url);
    // Without this, workerd closes the client's connection where the upstream's broke.
    return fetch(env.UPSTREAM + url.pathname + url.search, request).catch(
      (error) => new Response(String(error), { status: 502 }),
    );
  },
};
