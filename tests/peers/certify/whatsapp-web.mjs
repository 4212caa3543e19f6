// The bridge to WhatsApp Web reads what its library hands on: the library's own forms of messages, people under a number, a LID, or
// both. There is no server to log in to, so nothing is sent and received here.
//
// npm: baileys@7.0.0-rc14

import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { same } from "./stand-in.mjs";

const here = dirname(fileURLToPath(import.meta.url));
copyFileSync("adapters/channels/bridges/whatsapp.mjs", join(here, "bridge.mjs"));
process.argv[2] = mkdtempSync(join(tmpdir(), "dmgate-bridge-"));
// It ends with its input.
Object.defineProperty(process, "stdin", { value: new PassThrough() });
const { log } = console;
const { Numbers, read } = await import("./bridge.mjs");
const { generateWAMessageFromContent, proto } = await import("baileys");

const [PN, LID, GROUP] = ["16505551234@s.whatsapp.net", "123456789012345@lid", "120363000000000000@g.us"];
const [NUMBER, OWN] = ["+16505551234", { id: "15550783881:7@s.whatsapp.net", lid: "999:7@lid" }];

/** As much of a connection as tells whose a number is: it remembers one that is somebody else's by now. */
const numbers = new Numbers({
  signalRepository: { lidMapping: { getPNForLID: async (lid) => ({ [LID]: "16505551234:0@s.whatsapp.net", "78@lid": PN })[lid] ?? null } },
  async executeUSyncQuery(query) {
    same(query.protocols.map((protocol) => protocol.name), ["lid"], "what is asked of a number");
    return { list: query.users.map((user) => ({ id: user.id, ...(user.id === PN && { lid: LID }) })) };
  },
});

/** A message as the library makes them of what comes in. */
function message(content, key) {
  const made = generateWAMessageFromContent(PN, proto.Message.fromObject(content), { userJid: OWN.id });
  Object.assign(made, { pushName: "Ann", messageTimestamp: 1767225600 });
  made.key = { fromMe: false, ...made.key, remoteJid: PN, ...key, fromMe: key?.fromMe ?? false };
  return made;
}

const text = { conversation: "hello" };
const who = async (key, known) => {
  const { from, chat } = await read(message(text, key), OWN, known);
  return [from.id, from.aliases, chat.kind, chat.id];
};

same(await who({}), [NUMBER, [], "direct", PN], "a number");
same(await who({ remoteJidAlt: LID }), [NUMBER, ["123456789012345@lid"], "direct", PN], "a number, with its LID");
same(await who({ remoteJid: LID, remoteJidAlt: PN }), [NUMBER, ["123456789012345@lid"], "direct", LID], "a LID, with its number");
same(await who({ remoteJid: "16505551234:12@s.whatsapp.net" }), [NUMBER, [], "direct", PN], "a device");
same(await who({ remoteJid: LID }, numbers), [NUMBER, ["123456789012345@lid"], "direct", LID], "a LID whose number is still theirs");
same(await who({}, numbers), [NUMBER, ["123456789012345@lid"], "direct", PN], "a number whose LID WhatsApp knows");
same(await who({ remoteJid: "78@lid" }, numbers), ["78@lid", [], "direct", "78@lid"], "a LID whose number is somebody else's by now");
same(await who({ remoteJid: "77@lid" }, numbers), ["77@lid", [], "direct", "77@lid"], "a LID without a number");
same(
  (await who({ remoteJid: GROUP, participant: LID, participantAlt: PN })).slice(0, 3),
  [NUMBER, ["123456789012345@lid"], "group"],
  "a group",
);
for (const many of ["status@broadcast", "1234@newsletter", "1234@broadcast"]) {
  same((await who({ remoteJid: many, participant: PN }))[2], "group", many);
}
const own = await read(message(text, { fromMe: true }), OWN);
same([own.from.id, own.from.aliases, own.from.kind], ["+15550783881", ["999@lid"], "self"], "what the owner writes");
log("reads who it is: numbers, LIDs, both in either order, devices, groups, the owner");

const kinds = async (content) => {
  const said = await read(message(content), OWN);
  return [said.kind, said.text, said.attachments.map((one) => one.kind)];
};
same(await kinds(text), ["message", "hello", []], "a text");
same(await kinds({ extendedTextMessage: { text: "a link" } }), ["message", "a link", []], "a text with a link");
same(await kinds({ ephemeralMessage: { message: text } }), ["message", "hello", []], "a text that vanishes");
const image = { imageMessage: { caption: "look", mimetype: "image/jpeg", fileLength: 3000, directPath: "/v/t", mediaKey: "AAAA" } };
same(await kinds(image), ["message", "look", ["image"]], "a picture");
same(await kinds({ viewOnceMessage: { message: image } }), ["message", "look", ["image"]], "a picture to be seen once");
same(await kinds({ locationMessage: { degreesLatitude: 52.5, degreesLongitude: -13.25 } }), ["message", "", ["location"]], "a place");
same((await kinds({ reactionMessage: { text: "❤" } }))[0], "reaction", "a reaction");
same((await kinds({ protocolMessage: { type: "REVOKE" } }))[0], "edit", "what is taken back");
same((await kinds({ editedMessage: { message: { protocolMessage: { editedMessage: text } } } }))[0], "edit", "an edit");
same((await kinds({ protocolMessage: { type: "MESSAGE_EDIT", editedMessage: text } }))[0], "edit", "an edit, without its cover");
same((await kinds({ protocolMessage: { type: "HISTORY_SYNC_NOTIFICATION" } }))[0], "other", "what came before");
same((await kinds({ pollCreationMessage: { name: "?" } }))[0], "other", "a poll");
same((await kinds({}))[0], "other", "nothing");
const stub = message({});
stub.messageStubType = 27;
same((await read(stub, OWN)).kind, "membership", "somebody joins a group");
same((await read(message(text), OWN)).at, 1767225600000, "the stamp");
log("reads what it is: texts, files, places, edits, reactions, what is taken back");
process.exit(0);
