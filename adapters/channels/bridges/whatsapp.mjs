// A bridge from dmgate to an account of a person's on WhatsApp, by the library Baileys (MIT).
//
//   npm install baileys@7.0.0-rc14      beside this file
//   node whatsapp.mjs FOLDER            is what dmgate starts; docs/channels/BRIDGE.md is what is said
//
// FOLDER keeps the session, for the owner of the folder alone: whoever has it is the account. WhatsApp has no API for people's
// accounts and may close those that it finds out.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// Libraries speak on our standard output, which is for the protocol.
console.log = console.info = console.debug = console.warn = (...words) => console.error(...words);

const baileys = await import("baileys");
const { DisconnectReason, downloadContentFromMessage, getContentType, jidDecode, normalizeMessageContent, USyncQuery, USyncUser } = baileys;
const { CIPHERTEXT } = baileys.proto.WebMessageInfo.StubType;

const WINDOW = 64; // as many messages may be unanswered
const WAITING = 2_000; // as many wait for their turn, with as many characters
const WAITING_SIZE = 16 * 1024 * 1024;
const RETRY = [1, 2, 5, 10, 30, 60]; // seconds
const TAKEN_WITHIN = 30; // seconds
const OWNER_WITHIN = 5; // seconds
const OWNED = 600; // seconds that a number is believed to be its owner's
const UNKNOWN = 30; // seconds until it is asked again
const FILE_LIMIT = 100 * 1024 * 1024;
const FETCHED_WITHIN = 50; // seconds
const IDLE = 5; // seconds until a file that nobody asks for is put away
const FILES = 512; // as many messages with files are remembered, and owners of numbers

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
let now = { state: "connecting" };
const status = (state, reason) => {
  now = { state, reason };
  if (greeted) send({ method: "status", params: now });
};

/** The connection, and the same while we are in. */
let current = null;
let socket = null;

/** Messages wait here for their turn; those in flight for their answer. */
const waiting = [];
const inFlight = new Set();
let nextId = 1;
let held = 0; // the size of all that wait
let isFull = false;

function say(message) {
  const size = JSON.stringify(message).length;
  waiting.push({ message, size });
  held += size;
  while (waiting.length > WAITING || held > WAITING_SIZE) lose();
  flow();
}

function flow() {
  while (waiting.length && inFlight.size < WINDOW) {
    const id = nextId++;
    const { message, size } = waiting.shift();
    held -= size;
    inFlight.add(id);
    send({ id, method: "message", params: message });
  }
  if (!waiting.length) isFull = false;
}

/** Something has to go: what makes nobody act, or else what came last. */
function lose() {
  const idle = waiting.findIndex(({ message: { kind, chat, from } }) => {
    return !["message", "command", "button", undefined].includes(kind) || chat.kind !== "direct" || from.kind !== "person";
  });
  const [{ size }] = waiting.splice(idle < 0 ? waiting.length - 1 : idle, 1);
  held -= size;
  if (!isFull) console.error("messages are lost: more come in than dmgate takes");
  isFull = true;
}

function broken(error) {
  console.error(`it breaks down: ${error?.message}`);
  process.exit(1);
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
      if (!isLoggedIn()) now = NOBODY;
      run().catch(broken);
    }
    greeted = true;
    return { protocol: 1, ...now };
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
  .on("close", async () => {
    await Promise.race([current?.end(), pause(2)]);
    await settled();
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

/**
 * The ids of one person: the number first, where it is known. Both are in the same message; or WhatsApp says now whose a number is.
 * What was told before proves nothing: a number may be somebody else's by now.
 */
async function ids(jid, other, numbers) {
  const known = [id(jid), id(other)].filter(Boolean);
  if (known.length === 1 && numbers) {
    const remembered = known[0].endsWith("@lid") ? id(await numbers.of(jid)) : known[0];
    const lid = remembered && id(await numbers.owner(remembered));
    if (lid && known[0] === lid) known.push(remembered);
    else if (lid && known[0] === remembered) known.push(lid);
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

/** What is being written of the session. */
const writing = new Set();

/** Waits until nothing is half written. What is begun may write once more. */
async function settled() {
  do {
    await Promise.allSettled(writing);
    await pause(0.05);
  } while (writing.size);
}

/** A session that is kept in `place`, and written as long as it is there: a login puts another one in its place. */
async function kept(place, isThere) {
  const { state } = await baileys.useMultiFileAuthState(place);
  const { set } = state.keys;
  state.keys.set = async (keys) => {
    if (!isThere()) return;
    const written = set(keys);
    writing.add(written);
    await written.finally(() => writing.delete(written));
  };
  const saveCreds = () => {
    if (!isThere()) return;
    const file = join(place, "creds.json");
    writeFileSync(`${file}.new`, JSON.stringify(state.creds, baileys.BufferJSON.replacer));
    renameSync(`${file}.new`, file);
  };
  return { state, saveCreds };
}

const changed = () => (existsSync(session) ? statSync(session).ino : 0);

/** Stays connected while there is a session, and waits for one while there is none. */
async function run() {
  for (let tries = 0; ; tries++) {
    const before = changed();
    const isThere = () => changed() === before;
    const end = isLoggedIn() ? await connection(session, () => (tries = 0), null, isThere) : NOBODY;
    current = socket = null;
    if (end.state !== now.state || end.reason !== now.reason) status(end.state, end.reason);
    if (end.state === "login") {
      while (isThere()) await pause(2);
      tries = -1;
    } else {
      await pause(RETRY[Math.min(Math.max(tries, 0), RETRY.length - 1)]);
    }
  }
}

/** One connection, from its beginning to its end. */
async function connection(place, connected, shown, isThere) {
  const { state, saveCreds } = await kept(place, isThere);
  const made = baileys.makeWASocket({
    auth: state,
    logger: silent,
    markOnlineOnConnect: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
  });
  const { ev } = made;
  current = made;
  const watch = setInterval(() => isThere() || made.end(new Error("another login")), 2_000);
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
      if (connection !== "close") return;
      clearInterval(watch);
      resolve(why(lastDisconnect?.error, Boolean(shown)));
    });
    if (shown) return;
    made.ws.on("CB:ack,class:message", ({ attrs }) => settle(attrs.id, attrs.error));
    // One after another: what somebody wrote first is said first.
    let before = Promise.resolve();
    const inOrder = (work) => (before = before.then(work).catch((error) => console.error(`not read: ${error?.message}`)));
    const numbers = new Numbers(made);
    const own = state.creds.me;
    ev.on("messages.upsert", ({ messages }) => {
      for (const message of messages) {
        // It can't be read yet, and comes again with the same id.
        if (message.messageStubType === CIPHERTEXT) continue;
        inOrder(async () => say(await read(message, own, numbers)));
      }
    });
  });
}

/** Whose numbers are. */
export class Numbers {
  #socket;
  #owners = new Map();

  constructor(socket) {
    this.#socket = socket;
  }

  /** The number that somebody with a LID had when it was told. */
  of(lid) {
    return this.#socket.signalRepository.lidMapping.getPNForLID(lid).catch(() => null);
  }

  /** The LID of whoever has a number now, as WhatsApp says; nobody's if it does not answer. It is believed for some minutes. */
  async owner(number) {
    const known = this.#owners.get(number);
    if (known && Date.now() < known.until) return known.lid;
    const jid = `${number.slice(1)}@s.whatsapp.net`;
    const query = new USyncQuery().withLIDProtocol().withContext("background").withUser(new USyncUser().withId(jid));
    const answer = await Promise.race([this.#socket.executeUSyncQuery(query).catch(() => null), pause(OWNER_WITHIN)]);
    const lid = answer?.list.find((one) => one.id === jid)?.lid || null;
    this.#owners.delete(number);
    this.#owners.set(number, { lid, until: Date.now() + (answer ? OWNED : UNKNOWN) * 1000 });
    if (this.#owners.size > FILES) this.#owners.delete(this.#owners.keys().next().value);
    return lid;
  }
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
  if (error?.message === "another login") return { state: "connecting", reason: "there is a new login" };
  return { state: "connecting", reason: `WhatsApp can't be reached: ${error?.message ?? "it hung up"}` };
}

/** What a message says. */
export async function read({ key, message, messageTimestamp, pushName, messageStubType }, own, numbers) {
  const content = normalizeMessageContent(message) ?? {};
  const isDirect = /@(s\.whatsapp\.net|lid|hosted|hosted\.lid)$/.test(key.remoteJid ?? "");
  const from = key.fromMe
    ? await ids(own?.id, own?.lid)
    : await ids(key.participant ?? key.remoteJid, key.participant ? key.participantAlt : key.remoteJidAlt, numbers);
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
/** The file whose turn it is; the others wait until its last piece is given, or nobody asks for one any more. */
let turn = { reference: null };
let last = Promise.resolve();

async function piece({ reference, offset, length }) {
  const file = turn.reference === reference && turn.whole && offset > 0 ? turn : await begin(reference);
  clearTimeout(file.idle);
  const end = offset + length >= file.whole.length;
  const data = file.whole.subarray(offset, offset + length).toString("base64");
  if (end) file.done();
  else file.idle = setTimeout(file.done, IDLE * 1000);
  return { data, end };
}

/** Waits for a file's turn, and loads it whole. */
async function begin(reference) {
  // Who asked gives it up after a minute.
  const until = Date.now() + FETCHED_WITHIN * 1000;
  const before = last;
  const file = { reference };
  last = new Promise((resolve) => {
    file.done = () => {
      if (turn === file) turn = { reference: null };
      resolve();
    };
  });
  await before;
  try {
    if (Date.now() > until) throw new Refusal(-32603, "other files were before it");
    turn = file;
    file.whole = await load(reference, until);
  } catch (error) {
    file.done();
    throw error;
  }
  return file;
}

async function load(reference, until) {
  const found = files.get(reference);
  if (!found) throw new Refusal(-32602, "the file is forgotten");
  if (Number(found.file.fileLength) > FILE_LIMIT) throw new Refusal(-32602, "it is too large");
  // The library goes to WhatsApp's own hosts by the path, and checks what comes.
  const { directPath, mediaKey } = found.file;
  const loaded = (async () => {
    const parts = [];
    let size = 0;
    for await (const part of await downloadContentFromMessage({ directPath, mediaKey }, found.type)) {
      size += part.length;
      if (Date.now() > until) return null;
      if (size > FILE_LIMIT) throw new Refusal(-32602, "it is too large");
      parts.push(part);
    }
    return Buffer.concat(parts);
  })();
  const whole = await Promise.race([loaded, pause((until - Date.now()) / 1000)]);
  if (!whole) throw new Error("WhatsApp does not give the file in time");
  return whole;
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
    const end = await connection(place, connected, shown, () => true);
    if (!isIn && !end.again) throw new Refusal(-32603, end.reason);
  }
  await settled();
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
