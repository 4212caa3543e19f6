// OpenClaw's own pairing store, called as its gateway calls it for a direct message: read the list, and knock if the
// sender is not on it. Of what its gateway does besides, nothing is timed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { folder, known, peer, play } from "./measure.mjs";

process.env.OPENCLAW_STATE_DIR = folder;
process.env.HOME = folder;
const [channel, accountId] = ["telegram", "default"];

// The store is a bundle with a hash in its name, which a public entry imports; what its one-letter exports are called
// is in the bundle's last line.
async function loadStore() {
  const entry = pathToFileURL(`${peer}/dist/plugin-sdk/conversation-runtime.js`);
  const imports = readFileSync(entry, "utf8").matchAll(/import \{([^}]*)\} from "([^"]*)"/g);
  const [, , source] = [...imports].find(([, names]) => names.includes(" as upsertChannelPairingRequest"));
  const url = new URL(source, entry);
  const bundle = await import(url);
  const [, names] = readFileSync(url, "utf8").match(/export \{([^}]*)\};\s*$/);
  const aliases = names.split(",").map((pair) => pair.trim().split(" as "));
  return Object.fromEntries(aliases.map(([name, letter]) => [name, bundle[letter ?? name]]));
}

// Straight into where the release keeps its list: a file until July 2026, a table since, which the first read makes.
async function seed(store) {
  await store.readChannelAllowFromStore(channel, process.env, accountId);
  const tables = `${folder}/state/openclaw.sqlite`;
  if (!existsSync(tables)) {
    mkdirSync(`${folder}/credentials`, { mode: 0o700 });
    const text = JSON.stringify({ version: 1, allowFrom: known }, null, 2);
    writeFileSync(`${folder}/credentials/${channel}-${accountId}-allowFrom.json`, `${text}\n`, { mode: 0o600 });
    return;
  }
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(tables);
  const insert = database.prepare(
    `INSERT INTO channel_pairing_allow_entries (channel_key, account_id, entry, sort_order, updated_at)
     VALUES (?, ?, ?, ?, ?)`,
  );
  database.exec("BEGIN");
  known.forEach((id, order) => insert.run(channel, accountId, id, order, Date.now()));
  database.exec("COMMIT");
  database.close();
}

const store = await loadStore();
await seed(store);
await play({
  async decide(id) {
    const list = await store.readChannelAllowFromStore(channel, process.env, accountId);
    if (list.includes(id)) return { admitted: true };
    const { code, created } = await store.upsertChannelPairingRequest({ channel, accountId, id });
    return { admitted: false, code: created ? code : "" };
  },
  approve: (code) => store.approveChannelPairingCode({ channel, code }),
});
process.exit(); // timers of its own keep it running
