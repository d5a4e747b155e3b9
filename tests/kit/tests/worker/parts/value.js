// Operations on a key-value namespace.
export async function value(request, store, url) {
  const key = decodeURIComponent(url.pathname.slice("/values/".length));
  const ttl = url.searchParams.get("ttl");
  try {
    if (request.method === "DELETE") await store.delete(key);
    else if (request.method === "PUT") await store.put(key, await request.text(), ttl ? { expirationTtl: +ttl } : {});
    else return new Response(await store.get(key), { status: (await store.get(key)) === null ? 404 : 200 });
    return new Response(null, { status: 204 });
  } catch (error) {
    return new Response(String(error), { status: 500 });
  }
}
