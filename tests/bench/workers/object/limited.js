// A proxy with a limit for each client: what `COUNTERS` say is done. What the two Workers that do so share.

import proxy from "../proxy/index.js";

export default {
  async fetch(request, env) {
    const client = request.headers.get("cf-connecting-ip");
    const counter = env.COUNTERS.get(env.COUNTERS.idFromName(client));
    const { taken, left, wait } = await counter.take(env.LIMIT, env.PERIOD);
    if (!taken) {
      const headers = { "retry-after": String(Math.ceil(wait / 1000)), "x-ratelimit-remaining": "0" };
      return new Response("429 Too Many Requests\n", { status: 429, headers });
    }
    const response = await proxy.fetch(request, env);
    response.headers.set("x-ratelimit-limit", String(env.LIMIT));
    response.headers.set("x-ratelimit-remaining", String(left));
    return response;
  },
};

// A token bucket: what is in it after one more request, and what that request is told.
export function take(bucket, limit, period) {
  const now = Date.now();
  const { tokens, time } = bucket ?? { tokens: limit, time: now };
  const filled = Math.min(limit, tokens + (Math.max(0, now - time) * limit) / period);
  const taken = filled >= 1;
  const rest = taken ? filled - 1 : filled;
  const answer = { taken, left: Math.floor(rest), wait: taken ? 0 : ((1 - filled) * period) / limit };
  return { bucket: { tokens: rest, time: now }, answer };
}
