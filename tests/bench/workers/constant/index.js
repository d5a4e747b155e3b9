// The least a Worker can do.

export default {
  async fetch() {
    return new Response('{"hello":"world"}', { headers: { "content-type": "application/json" } });
  },
};
