// Offers the Durable Objects of this process's counters to others, over HTTP.

export default {
  async fetch(request, env) {
    const [counter, ask] = await request.json();
    try {
      return new Response(await env.COUNTERS.getByName(counter).count(ask));
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
