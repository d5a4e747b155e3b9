// A limit as it is usually made by hand: one Durable Object for each client, which keeps a token bucket in its storage
// and is asked before every request. Bundled by esbuild.

import { DurableObject } from "cloudflare:workers";
import { take } from "./limited.js";

export { default } from "./limited.js";

export class Counter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    // Nothing is asked before this is there. From then on, what is in memory is what is stored.
    ctx.blockConcurrencyWhile(async () => {
      this.bucket = await ctx.storage.get("bucket");
    });
  }

  take(limit, period) {
    const { bucket, answer } = take(this.bucket, limit, period);
    this.bucket = bucket;
    // Not waited for: the platform holds the answer back until this is on the disk.
    if (answer.taken) this.ctx.storage.put("bucket", bucket);
    return answer;
  }
}
