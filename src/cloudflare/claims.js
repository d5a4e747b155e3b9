// What happens once only: a Durable Object decides who came first, and what came of it.

import { DurableObject } from "cloudflare:workers";

// L, id, shard, ms to live, key.
export function claim(env, lines) {
  return asked(env, lines[2], async (object) => {
    const first = await object.claim(lines.slice(4).join("\n"), Number(lines[3]));
    return `V\n1\n${first ? 1 : 0}`;
  });
}

// H, id, shard, ms to live, key, what is expected, what takes its place.
export function swap(env, lines) {
  return asked(env, lines[2], async (object) => {
    const held = await object.swap(lines[4], Number(lines[3]), lines[5], lines[6]);
    return held === null ? "V\n0" : `V\n1\n${held}`;
  });
}

async function asked(env, shard, ask) {
  const objects = env.EDGATE_CLAIMS;
  if (typeof objects?.idFromName !== "function") return "E\ndenied\nno Durable Object namespace is bound as EDGATE_CLAIMS";
  try {
    return await ask(objects.get(objects.idFromName(shard)));
  } catch (error) {
    return `E\nother\n${error}`;
  }
}

// How long what has run out may lie about.
const CLEAN_MS = 60_000;

// Who came first, for keys that isolates everywhere ask for, and what such keys hold: one object for each shard of all
// keys.
export class EdgateClaims extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.storage = ctx.storage;
    this.cleans = false;
    // No index by time: it would be written with every claim, and is read once a minute.
    this.storage.sql.exec("CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID");
    this.storage.sql.exec("CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, until INTEGER NOT NULL, value TEXT NOT NULL)");
  }

  // Decided before anything is waited for; the answer goes out when it is on disk.
  async claim(key, ttl) {
    const now = Date.now();
    const write = "INSERT INTO claims VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE until <= ? RETURNING key";
    const first = this.storage.sql.exec(write, key, now + ttl, now).toArray().length === 1;
    await this.cleanLater(now);
    return first;
  }

  // The same: what the key holds, or null where that was what is expected, and has given way.
  async swap(key, ttl, expected, value) {
    const now = Date.now();
    const rows = this.storage.sql.exec("SELECT value FROM held WHERE key = ? AND until > ?", key, now).toArray();
    const held = rows.length === 1 ? rows[0].value : "";
    if (held !== expected) return held;
    if (value === "") this.storage.sql.exec("DELETE FROM held WHERE key = ?", key);
    else this.storage.sql.exec("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", key, now + ttl, value);
    await this.cleanLater(now);
    return null;
  }

  async cleanLater(now) {
    if (this.cleans) return;
    this.cleans = true;
    if ((await this.storage.getAlarm()) === null) await this.storage.setAlarm(now + CLEAN_MS);
  }

  async alarm() {
    const now = Date.now();
    this.storage.sql.exec("DELETE FROM claims WHERE until <= ?", now);
    this.storage.sql.exec("DELETE FROM held WHERE until <= ?", now);
    const left = "SELECT 1 FROM claims UNION ALL SELECT 1 FROM held LIMIT 1";
    this.cleans = this.storage.sql.exec(left).toArray().length === 1;
    if (this.cleans) await this.storage.setAlarm(now + CLEAN_MS);
  }
}
