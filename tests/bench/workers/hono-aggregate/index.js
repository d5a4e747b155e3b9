// One answer made of three, as it is written with hono: all at once, or each of the one before. Bundled by esbuild.

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

const app = new Hono();

async function part(c, path) {
  const response = await fetch(c.env.UPSTREAM + path);
  if (!response.ok) throw new HTTPException(502, { message: `${path}: ${response.status}` });
  return response;
}

const json = async (c, path) => (await part(c, path)).json();
const text = async (c, path) => (await part(c, path)).text();

app.get("/three/:kind", async (c) => {
  const kind = c.req.param("kind");
  const [first, second, third] = await Promise.all([
    json(c, `/parts/${kind}/1`),
    json(c, `/parts/${kind}/2`),
    json(c, `/parts/${kind}/3`),
  ]);
  return c.json({ a: first, b: second, c: third });
});

app.get("/chain", async (c) => {
  const first = await json(c, "/parts/small/1");
  const second = await json(c, `/parts/small/${first.next.id}`);
  const third = await json(c, `/parts/small/${second.next.id}`);
  return c.json({ a: first, b: second, c: third });
});

// What somebody writes who knows that nothing is to be changed: the answers are put together unread, valid or not.
app.get("/texts/:kind", async (c) => {
  const kind = c.req.param("kind");
  const [first, second, third] = await Promise.all([
    text(c, `/parts/${kind}/1`),
    text(c, `/parts/${kind}/2`),
    text(c, `/parts/${kind}/3`),
  ]);
  return c.body(`{"a":${first},"b":${second},"c":${third}}`, 200, { "content-type": "application/json" });
});

export default app;
