// Calls OpenClaw's own pairing store, or holds its file lock, in a process of its own.
//
//   node openclaw-store.mjs <folder of openclaw> serve
//       answers each line of input, `["<call>", <arguments>]`, with a line `{"value": …}` or `{"error": …}`
//   node openclaw-store.mjs <folder of openclaw> hold <file>
//       takes the lock of a file, prints `{"value": "<lock file>"}`, and lets go when its input ends
import { readFile, readdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , openclaw, mode, file] = process.argv;
const sdk = (name) => `${openclaw}/dist/plugin-sdk/${name}.js`;
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// The store is public as part of `openclaw/plugin-sdk/conversation-runtime`, which loads half of OpenClaw (1.5 s).
// That entry re-exports it from a bundle with a hash in its name and one letter for each function: read there which.
async function loadStore() {
  const entry = sdk("conversation-runtime");
  const imports = (await readFile(entry, "utf8")).matchAll(/import \{([^}]*)\} from "([^"]*)"/g);
  for (const [, names, source] of imports) {
    if (!names.includes(" as upsertChannelPairingRequest")) continue;
    const bundle = await import(new URL(source, pathToFileURL(entry)));
    const aliases = names.split(",").map((pair) => pair.trim().split(" as "));
    return Object.fromEntries(aliases.map(([short, name]) => [name ?? short, bundle[short]]));
  }
  throw new Error(`${entry} imports no upsertChannelPairingRequest`);
}

// What its gateway calls for devices and nodes is public in no entry: the bundles that export it, by name and letter.
async function loadDevices() {
  const found = {};
  for (const name of await readdir(`${openclaw}/dist`)) {
    if (!/^(device-pairing|device-bootstrap|auth-profiles)-.*\.js$/.test(name)) continue;
    const file = `${openclaw}/dist/${name}`;
    const text = await readFile(file, "utf8");
    const last = text.slice(text.lastIndexOf("\nexport {")).match(/export \{([^}]*)\}/)[1];
    const exported = last.split(",").map((pair) => pair.trim().split(" as "));
    const wanted = exported.filter(([name]) => /(Device|Node)(Pairing|Token|BootstrapToken|BootstrapTokens)$|^renamePairedNode$|^removePairedDevice$/.test(name));
    if (wanted.length === 0) continue;
    const bundle = await import(pathToFileURL(file));
    for (const [name, short] of wanted) found[name] = bundle[short ?? name];
  }
  return found;
}

async function serve() {
  let devices;
  const store = await loadStore();
  const inTurn = async (items, call) => {
    const results = [];
    for (const item of items) results.push(await call(item));
    return results;
  };
  const calls = {
    upsert: (request) => store.upsertChannelPairingRequest(request),
    list: ({ channel, accountId }) => store.listChannelPairingRequests(channel, process.env, accountId),
    approve: (approval) => store.approveChannelPairingCode(approval),
    allowFrom: ({ channel, accountId }) => store.readChannelAllowFromStore(channel, process.env, accountId),
    add: ({ entries, ...rest }) => inTurn(entries, (entry) => store.addChannelAllowFromStoreEntry({ ...rest, entry })),
    device: async ({ name, given }) => (await (devices ??= loadDevices()))[name](...given),
    remove: ({ entries, ...rest }) =>
      inTurn(entries, (entry) => store.removeChannelAllowFromStoreEntry({ ...rest, entry })),
  };
  say({ value: "ready" });
  for await (const line of createInterface({ input: process.stdin })) {
    const [call, request] = JSON.parse(line);
    try {
      say({ value: (await calls[call](request)) ?? null });
    } catch (error) {
      say({ error: `${error.message}` });
    }
  }
}

async function hold() {
  const { withFileLock } = await import(pathToFileURL(sdk("file-lock")));
  // The numbers that the store itself passes.
  const patience = { retries: 10, factor: 2, minTimeout: 100, maxTimeout: 10_000, randomize: true };
  await withFileLock(file, { retries: patience, stale: 30_000 }, async () => {
    say({ value: `${file}.lock` });
    for await (const _ of process.stdin);
  });
}

await { serve, hold }[mode]();
