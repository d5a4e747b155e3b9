// The same limit as Cloudflare's documentation has it: the bucket is in the object's memory only, and full again whenever
// the object was away. Bundled by esbuild.
// https://developers.cloudflare.com/durable-objects/examples/build-a-rate-limiter/

import { DurableObject } from "cloudflare:workers";
import { take } from "../object/limited.js";

export { default } from "../object/limited.js";

export class Counter extends DurableObject {
  take(limit, period) {
    const { bucket, answer } = take(this.bucket, limit, period);
    this.bucket = bucket;
    return answer;
  }
}
