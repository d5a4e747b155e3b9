// hono's JWT middleware as its documentation has it, before hono's proxy or a fixed answer. Bundled by esbuild.

import { Hono } from "hono";
import { jwt } from "hono/jwt";
import { proxy } from "hono/proxy";

const app = new Hono();

// One middleware for all requests: its documentation makes one for each where the key is among the bindings.
let verify = null;

app.use("*", (c, next) => {
  const { KEY: secret, ALGORITHM: alg, ISSUER: iss, AUDIENCE: aud } = c.env;
  verify ??= jwt({ secret, alg, verification: { iss, aud } });
  return verify(c, next);
});

app.all("/svc0/items/:id", async (c) => {
  const { pathname, search } = new URL(c.req.url);
  const response = await proxy(c.env.UPSTREAM + pathname + search, {
    ...c.req,
    headers: {
      ...c.req.header(),
      authorization: undefined,
      "x-forwarded-for": c.req.header("cf-connecting-ip"),
      via: "1.1 hono",
      host: undefined,
    },
    redirect: "manual",
  });
  response.headers.append("via", "1.1 hono");
  return response;
});

app.get("/", (c) => c.json({ hello: "world" }));

export default app;
