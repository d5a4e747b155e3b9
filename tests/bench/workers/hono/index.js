// The proxy as hono's documentation has it, with the same facts about the client as the others. Bundled by esbuild.

import { Hono } from "hono";
import { proxy } from "hono/proxy";

const app = new Hono();

app.all("/svc0/items/:id", async (c) => {
  const { pathname, search } = new URL(c.req.url);
  const response = await proxy(c.env.UPSTREAM + pathname + search, {
    ...c.req,
    headers: {
      ...c.req.header(),
      "x-forwarded-for": c.req.header("cf-connecting-ip"),
      via: "1.1 hono",
      host: undefined,
    },
    redirect: "manual",
  });
  response.headers.append("via", "1.1 hono");
  return response;
});

export default app;
