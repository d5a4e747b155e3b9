// Writes something else over every value that Durable Objects have kept below a folder.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { serialize } from "node:v8";

const [folder] = process.argv.slice(-1);
const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".sqlite"));
for (const name of files) {
  const database = new DatabaseSync(join(folder, name));
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE name = '_cf_KV'").all();
  if (tables.length > 0) database.prepare("UPDATE _cf_KV SET value = ?").run(serialize("9007199254740991 no state at all"));
  database.close();
}
