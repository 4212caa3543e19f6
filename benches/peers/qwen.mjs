// The gate of qwen-code's channels, over its own pairing store.
import { mkdirSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { folder, known, peer, play } from "./measure.mjs";

process.env.QWEN_HOME = folder;
const { PairingStore, SenderGate } = await import(pathToFileURL(`${peer}/dist/index.js`));

mkdirSync(`${folder}/channels`);
writeFileSync(`${folder}/channels/telegram-allowlist.json`, JSON.stringify(known, null, 2));

const store = new PairingStore("telegram");
const gate = new SenderGate("pairing", [], store);
await play({
  decide(id) {
    const { allowed, pairing } = gate.check(id);
    return { admitted: allowed, code: pairing?.code ?? "" };
  },
  approve: (code) => store.approve(code),
});
