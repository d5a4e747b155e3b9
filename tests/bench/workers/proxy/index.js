// What edgate is held against: a bare proxy, without routes and without a log. It copies the header fields both ways,
// leaves out those of one connection, says who the client is, and passes redirections on.

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const headers = new Headers();
    for (const [name, value] of request.headers) {
      if (!HOP_BY_HOP.has(name) && name !== "host") headers.append(name, value);
    }
    headers.append("x-forwarded-for", request.headers.get("cf-connecting-ip"));
    headers.append("via", "1.1 js");
    const response = await fetch(env.UPSTREAM + url.pathname + url.search, {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
    });
    const fields = new Headers();
    for (const [name, value] of response.headers) {
      if (!HOP_BY_HOP.has(name)) fields.append(name, value);
    }
    fields.append("via", "1.1 js");
    return new Response(response.body, { status: response.status, headers: fields });
  },
};
