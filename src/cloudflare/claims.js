// What happens once only: a Durable Object decides who came first.

import { DurableObject } from "cloudflare:workers";

// L, id, shard, ms to live, key.
export async function claim(env, lines) {
  const objects = env.EDGATE_CLAIMS;
  if (typeof objects?.idFromName !== "function") return "E\ndenied\nno Durable Object namespace is bound as EDGATE_CLAIMS";
  try {
    const first = await objects.get(objects.idFromName(lines[2])).claim(lines.slice(4).join("\n"), Number(lines[3]));
    return `V\n1\n${first ? 1 : 0}`;
  } catch (error) {
    return `E\nother\n${error}`;
  }
}

// How long claims that have run out may lie about.
const CLEAN_MS = 60_000;

// Who came first, for keys that isolates everywhere ask for: one object for each shard of all keys.
export class EdgateClaims extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.storage = ctx.storage;
    this.cleans = false;
    // No index by time: it would be written with every claim, and is read once a minute.
    this.storage.sql.exec("CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID");
  }

  // Decided before anything is waited for; the answer goes out when it is on disk.
  async claim(key, ttl) {
    const now = Date.now();
    const write = "INSERT INTO claims VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE until <= ? RETURNING key";
    const first = this.storage.sql.exec(write, key, now + ttl, now).toArray().length === 1;
    if (!this.cleans) {
      this.cleans = true;
      if ((await this.storage.getAlarm()) === null) await this.storage.setAlarm(now + CLEAN_MS);
    }
    return first;
  }

  async alarm() {
    this.storage.sql.exec("DELETE FROM claims WHERE until <= ?", Date.now());
    this.cleans = this.storage.sql.exec("SELECT 1 FROM claims LIMIT 1").toArray().length === 1;
    if (this.cleans) await this.storage.setAlarm(Date.now() + CLEAN_MS);
  }
}
