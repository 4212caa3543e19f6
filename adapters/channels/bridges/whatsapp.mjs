// A bridge from dmgate to an account of a person's on WhatsApp, by the library Baileys (MIT).
//
//   npm install baileys@7.0.0-rc14      beside this file
//   node whatsapp.mjs FOLDER            is what dmgate starts; docs/channels/BRIDGE.md is what is said
//
// FOLDER keeps the session, for the owner of the folder alone: whoever has it is the account. WhatsApp has no API for people's
// accounts and may close those that it finds out.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// Libraries speak on our standard output, which is for the protocol.
console.log = console.info = console.debug = console.warn = (...words) => console.error(...words);

const baileys = await import("baileys");
const { DisconnectReason, downloadContentFromMessage, getContentType, jidDecode, normalizeMessageContent } = baileys;

const WINDOW = 64; // as many messages may be unanswered
const RETRY = [1, 2, 5, 10, 30, 60]; // seconds
const TAKEN_WITHIN = 30; // seconds
const FILE_LIMIT = 100 * 1024 * 1024;
const FILES = 512; // as many messages with files are remembered

const folder = process.argv[2];
if (!folder) {
  console.error("usage: node whatsapp.mjs FOLDER");
  process.exit(2);
}
process.umask(0o077);
mkdirSync(folder, { recursive: true, mode: 0o700 });
const session = join(folder, "session");

// === What is said ===

const send = (said) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...said }) + "\n");
let greeted = false;
let last = { state: "connecting" };
const status = (state, reason) => {
  last = { state, reason };
  if (greeted) send({ method: "status", params: last });
};

/** The connection, while we are in. */
let socket = null;

/** Messages wait here for their turn; those in flight for their answer. */
const waiting = [];
const inFlight = new Set();
let nextId = 1;

function say(message) {
  waiting.push(message);
  flow();
}

function flow() {
  while (waiting.length && inFlight.size < WINDOW) {
    const id = nextId++;
    inFlight.add(id);
    send({ id, method: "message", params: waiting.shift() });
  }
}

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const methods = {
  hello({ protocol, purpose }) {
    if (protocol !== 1) throw new Refusal(-32602, "this bridge speaks version 1");
    if (purpose === "run") {
      if (!isLoggedIn()) last = NOBODY;
      run();
    }
    greeted = true;
    return { protocol: 1, ...last };
  },
  ping: () => ({}),
  async send({ chat, user, text, key }) {
    const to = way(chat, user);
    if (!socket) throw new Refusal(-32001, "not connected to WhatsApp");
    // WhatsApp drops a second message of the same id.
    const id = "3EB0" + createHash("sha256").update(`${to} ${key}`).digest("hex").slice(0, 36).toUpperCase();
    const taken = accepted(id);
    taken.catch(() => {}); // if sending fails, nobody waits for it
    await socket.sendMessage(to, { text, linkPreview: null }, { messageId: id });
    await taken;
    return { id };
  },
  async typing({ chat, user }) {
    await socket?.sendPresenceUpdate("composing", way(chat, user));
  },
  fetch: piece,
  login: logIn,
};

async function answer({ id, method, params }) {
  const work = Object.hasOwn(methods, method) ? methods[method] : null;
  try {
    if (!work) throw new Refusal(-32601, "there is no such method");
    const result = await work(params ?? {});
    if (id != null) send({ id, result: result ?? {} });
  } catch (error) {
    const code = error instanceof Refusal ? error.code : -32603;
    if (id != null) send({ id, error: { code, message: String(error?.message ?? error) } });
  }
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    let said;
    try {
      said = JSON.parse(line);
    } catch {
      return;
    }
    if (said?.method) answer(said);
    else if (inFlight.delete(said?.id)) flow();
  })
  .on("close", () => {
    socket?.end();
    process.exit(0);
  });

// === Who is who ===

/** An id as dmgate writes it: `+15550001` for a telephone number, `123@lid` for somebody who shows none. */
function id(jid) {
  const { user, server } = jidDecode(jid ?? "") ?? {};
  if (!/^[0-9]+$/.test(user ?? "")) return null;
  if (server === "s.whatsapp.net" || server === "hosted") return `+${user}`;
  if (server === "lid" || server === "hosted.lid") return `${user}@lid`;
  return null;
}

/** The ids of one person: the number first, where it is known. The other one is in the same message, or WhatsApp has told us before. */
async function ids(jid, other, mapping) {
  const known = [id(jid), id(other)].filter(Boolean);
  if (known.length === 1 && mapping) {
    const lid = known[0].endsWith("@lid");
    const asked = await (lid ? mapping.getPNForLID(jid) : mapping.getLIDForPN(jid)).catch(() => null);
    known.push(...[id(asked)].filter(Boolean));
  }
  const [first, ...aliases] = [...new Set(known)].sort((one, two) => Number(one.endsWith("@lid")) - Number(two.endsWith("@lid")));
  return { id: first, aliases };
}

/** Where a text goes: to one person, never to a group. */
function way(chat, user) {
  const jid = chat ?? (user?.startsWith("+") ? `${user.slice(1)}@s.whatsapp.net` : user);
  if (typeof jid !== "string" || !/^[0-9]+@(s\.whatsapp\.net|lid)$/.test(jid)) {
    throw new Refusal(-32602, "this is no chat with one person");
  }
  return jid;
}

// === WhatsApp ===

const NOBODY = { state: "login", reason: "nobody is logged in to WhatsApp" };
// It says much, of messages and keys too.
const silent = { level: "silent", child: () => silent, trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

function isLoggedIn() {
  try {
    return JSON.parse(readFileSync(join(session, "creds.json"), "utf8")).me?.id != null;
  } catch {
    return false;
  }
}

const changed = () => (existsSync(session) ? statSync(session).ino : 0);

/** Stays connected while there is a session, and waits for one while there is none. */
async function run() {
  for (let tries = 0; ; tries++) {
    const before = changed();
    const end = isLoggedIn() ? await connection(session, () => (tries = 0)) : NOBODY;
    socket = null;
    if (end.state !== last.state || end.reason !== last.reason) status(end.state, end.reason);
    if (end.state === "login") {
      while (changed() === before) await pause(2);
      tries = -1;
    } else {
      await pause(RETRY[Math.min(Math.max(tries, 0), RETRY.length - 1)]);
    }
  }
}

/** One connection, from its beginning to its end. */
async function connection(place, connected, shown) {
  const { state, saveCreds } = await baileys.useMultiFileAuthState(place);
  const made = baileys.makeWASocket({
    auth: state,
    logger: silent,
    markOnlineOnConnect: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
  });
  const { ev } = made;
  return new Promise((resolve) => {
    ev.on("creds.update", saveCreds);
    ev.on("connection.update", ({ connection, lastDisconnect, qr }) => {
      if (qr && shown) shown(qr);
      if (qr && !shown) made.end(new Error("logged out"));
      if (connection === "open") {
        if (!shown) {
          socket = made;
          status("ready");
        }
        connected(made);
      }
      if (connection === "close") resolve(why(lastDisconnect?.error, Boolean(shown)));
    });
    if (shown) return;
    made.ws.on("CB:ack,class:message", ({ attrs }) => settle(attrs.id, attrs.error));
    // One after another: what somebody wrote first is said first.
    let before = Promise.resolve();
    const inOrder = (work) => (before = before.then(work).catch((error) => console.error(`not read: ${error?.message}`)));
    const mapping = made.signalRepository?.lidMapping;
    const own = state.creds.me;
    ev.on("messages.upsert", ({ messages }) => {
      for (const message of messages) inOrder(async () => say(await read(message, own, mapping)));
    });
  });
}

function why(error, loggingIn) {
  switch (error?.output?.statusCode) {
    case DisconnectReason.restartRequired:
      return { state: "connecting", reason: "WhatsApp asks to connect again", again: true };
    case DisconnectReason.loggedOut:
    case DisconnectReason.badSession:
      return { state: "login", reason: "WhatsApp does not take the session any more" };
    case DisconnectReason.forbidden:
      return { state: "refused", reason: "WhatsApp has closed the account" };
    case DisconnectReason.connectionReplaced:
      return { state: "connecting", reason: "another program uses the session" };
  }
  if (!loggingIn && error?.message === "logged out") return { state: "login", reason: "WhatsApp does not take the session any more" };
  return { state: "connecting", reason: `WhatsApp can't be reached: ${error?.message ?? "it hung up"}` };
}

/** What a message says. */
export async function read({ key, message, messageTimestamp, pushName, messageStubType }, own, mapping) {
  const content = normalizeMessageContent(message) ?? {};
  const isDirect = /@(s\.whatsapp\.net|lid|hosted|hosted\.lid)$/.test(key.remoteJid ?? "");
  const from = key.fromMe
    ? await ids(own?.id, own?.lid)
    : await ids(key.participant ?? key.remoteJid, key.participant ? key.participantAlt : key.remoteJidAlt, mapping);
  return {
    id: key.id,
    // What is said to many (`status@broadcast`, `…@newsletter`) is no chat with one person.
    chat: { id: isDirect ? (key.remoteJid ?? "").replace(/:[0-9]+@/, "@") : undefined, kind: isDirect ? "direct" : "group" },
    from: { ...from, name: pushName || undefined, kind: key.fromMe ? "self" : "person" },
    kind: kind(content, message, messageStubType),
    text: text(content),
    at: Number(messageTimestamp) * 1000 || undefined,
    attachments: attachments(key, content),
  };
}

function kind(content, message, stub) {
  if (content.reactionMessage || content.encReactionMessage) return "reaction";
  // Also one that was taken back.
  if (message?.editedMessage || content.protocolMessage?.editedMessage || content.protocolMessage?.type === 0) return "edit";
  if (content.protocolMessage || content.pollUpdateMessage) return "other";
  if (stub) return "membership";
  if (content.buttonsResponseMessage || content.listResponseMessage || content.templateButtonReplyMessage) return "button";
  return text(content) || media(content) || content.locationMessage || content.contactMessage ? "message" : "other";
}

function text(content) {
  return (
    content.conversation ||
    content.extendedTextMessage?.text ||
    content.imageMessage?.caption ||
    content.videoMessage?.caption ||
    content.documentMessage?.caption ||
    content.buttonsResponseMessage?.selectedDisplayText ||
    content.templateButtonReplyMessage?.selectedDisplayText ||
    content.listResponseMessage?.title ||
    ""
  );
}

const MEDIA = { imageMessage: "image", videoMessage: "video", audioMessage: "audio", documentMessage: "file", stickerMessage: "sticker" };

function media(content) {
  const type = getContentType(content);
  return MEDIA[type] ? { kind: MEDIA[type], type: type.replace("Message", ""), file: content[type] } : null;
}

function attachments(key, content) {
  const found = media(content);
  if (found) {
    const reference = `${key.remoteJid} ${key.id}`;
    files.set(reference, found);
    if (files.size > FILES) files.delete(files.keys().next().value);
    const size = Number(found.file.fileLength) || undefined;
    return [{ kind: found.kind, media_type: found.file.mimetype ?? undefined, name: found.file.fileName ?? undefined, size, reference }];
  }
  const place = content.locationMessage;
  if (place) {
    return [{ kind: "location", name: place.name || undefined, reference: `geo:${place.degreesLatitude},${place.degreesLongitude}` }];
  }
  const card = content.contactMessage;
  return card ? [{ kind: "contact", name: card.displayName || undefined, reference: "contact" }] : [];
}

// === What became of a text ===

const sent = new Map();

/** Settled when WhatsApp has taken a message. */
function accepted(id) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      sent.delete(id);
      reject(new Error("WhatsApp does not say whether it took the text"));
    }, TAKEN_WITHIN * 1000);
    sent.set(id, { resolve, reject, timer });
  });
}

function settle(id, error) {
  const one = sent.get(id);
  if (!one) return;
  sent.delete(id);
  clearTimeout(one.timer);
  // 463: the account may not write to strangers for now.
  if (error) one.reject(new Refusal(error === "463" ? -32001 : -32002, `WhatsApp refuses the text: ${error}`));
  else one.resolve();
}

process.on("unhandledRejection", (error) => console.error(`not waited for: ${error?.message}`));

// === Files ===

/** By message: where the last files are, and with which keys they are opened. */
const files = new Map();
/** The one that is being fetched, whole. */
let fetched = { reference: null, whole: null };

async function piece({ reference, offset, length }) {
  if (fetched.reference !== reference || offset === 0) {
    const found = files.get(reference);
    if (!found) throw new Refusal(-32602, "the file is forgotten");
    if (Number(found.file.fileLength) > FILE_LIMIT) throw new Refusal(-32602, "it is too large");
    const parts = [];
    let size = 0;
    // The library goes to WhatsApp's own hosts by the path, and checks what comes.
    const { directPath, mediaKey } = found.file;
    for await (const part of await downloadContentFromMessage({ directPath, mediaKey }, found.type)) {
      size += part.length;
      if (size > FILE_LIMIT) throw new Refusal(-32602, "it is too large");
      parts.push(part);
    }
    fetched = { reference, whole: Buffer.concat(parts) };
  }
  const { whole } = fetched;
  const end = offset + length >= whole.length;
  const data = whole.subarray(offset, offset + length).toString("base64");
  if (end) fetched = { reference: null, whole: null };
  return { data, end };
}

// === Logging in ===

/** Shows codes until one is scanned. The session is put in the place of the old one when it is whole. */
async function logIn() {
  const place = `${session}.new`;
  rmSync(place, { recursive: true, force: true });
  const told = "On the telephone: WhatsApp, Settings, Linked devices, Link a device; scan the code.";
  const shown = (code) => send({ method: "login", params: { code, told } });
  for (let isIn = false; !isIn; ) {
    const connected = (made) => {
      isIn = true;
      setTimeout(() => made.end(new Error("logged in")), 3_000); // keys are still being written
    };
    const end = await connection(place, connected, shown);
    if (!isIn && !end.again) throw new Refusal(-32603, end.reason);
  }
  const old = `${session}.old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(session)) renameSync(session, old);
  renameSync(place, session);
  rmSync(old, { recursive: true, force: true });
  return { told: "Logged in to WhatsApp." };
}

function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
