// A rate limiter as Cloudflare binds it, in the memory of one isolate. It counts in windows that begin with the clock's,
// as miniflare's does, and takes no option that the platform does not know.
// https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/

export default function ({ limit, period }) {
  const counts = new Map();
  let window = 0;
  return {
    async limit(options) {
      if (typeof options?.key !== "string" || Object.keys(options).length !== 1) throw new Error("invalid rate limit options");
      const now = Math.floor(Date.now() / (period * 1000));
      if (now !== window) counts.clear();
      window = now;
      const count = counts.get(options.key) ?? 0;
      if (count >= limit) return { success: false };
      counts.set(options.key, count + 1);
      return { success: true };
    },
  };
}
