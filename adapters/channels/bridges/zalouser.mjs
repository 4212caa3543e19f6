// A bridge from dmgate to an account of a person's on Zalo, by the library zca-js (MIT).
//
//   npm install zca-js@2.2.0      beside this file
//   node zalouser.mjs FOLDER      is what dmgate starts; docs/channels/BRIDGE.md is what is said
//
// FOLDER keeps the session, for the owner of the folder alone: whoever has it is the account. Zalo has no API for people's
// accounts and may close those that it finds out.

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// The library speaks on our standard output, which is for the protocol.
console.log = console.info = console.debug = console.warn = (...words) => console.error(...words);

const { LoginQRCallbackEventType, ThreadType, Zalo, ZaloApiError } = await import("zca-js");

const WINDOW = 64; // as many messages may be unanswered
const WAITING = 2_000; // as many wait for their turn, with as many characters
const WAITING_SIZE = 16 * 1024 * 1024;
const KNOWN = 100; // as many messages are known by their ids
const RETRY = [1, 2, 5, 10, 30, 60]; // seconds
const FILE_LIMIT = 100 * 1024 * 1024;
const FETCHED_WITHIN = 50; // seconds
const IDLE = 5; // seconds until a file that nobody asks for is put away
const OPTIONS = { selfListen: true, checkUpdate: false, logging: false };

const folder = process.argv[2];
if (!folder) {
  console.error("usage: node zalouser.mjs FOLDER");
  process.exit(2);
}
mkdirSync(folder, { recursive: true, mode: 0o700 });
const sessionFile = join(folder, "session.json");

// === What is said ===

const send = (said) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...said }) + "\n");
const status = (state, reason) => {
  if (greeted) send({ method: "status", params: { state, reason } });
  now = { state, reason };
};

let greeted = false;
let now = { state: "connecting" };
let api = null;

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
  constructor(code, message, data) {
    super(message);
    Object.assign(this, { code, data });
  }
}

const methods = {
  hello({ protocol, purpose, cursor }) {
    if (protocol !== 1) throw new Refusal(-32602, "this bridge speaks version 1");
    greeted = true;
    place = placed(cursor);
    // Nothing is said before this is answered.
    if (purpose === "run") setImmediate(() => run().catch(broken));
    return { protocol: 1, ...now };
  },
  ping: () => ({}),
  async send({ chat, user, text }) {
    if (!api) throw new Refusal(-32001, "not connected to Zalo");
    try {
      return { id: String((await api.sendMessage({ msg: text }, chat ?? user, ThreadType.User)).message?.msgId ?? "") };
    } catch (error) {
      // Zalo's own refusals have a code: it took nothing. Anything else may have left.
      if (!(error instanceof ZaloApiError) || error.code == null) throw error;
      throw new Refusal(-32001, `Zalo answers ${error.code}: ${error.message}`);
    }
  },
  async typing({ chat, user }) {
    await api?.sendTypingEvent(chat ?? user, ThreadType.User);
  },
  fetch: piece,
  login: logIn,
};

async function answer({ id, method, params }) {
  const work = methods[method];
  try {
    if (!work) throw new Refusal(-32601, "there is no such method");
    const result = await work(params ?? {});
    if (id != null) send({ id, result: result ?? {} });
  } catch (error) {
    const { code, message, data } = error instanceof Refusal ? error : { code: -32603, message: String(error?.message) };
    if (id != null) send({ id, error: { code, message, data } });
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
    if (said.method) answer(said);
    else if (inFlight.delete(said.id)) flow();
  })
  .on("close", () => {
    api?.listener.stop();
    process.exit(0);
  });

// === Zalo ===

function session() {
  try {
    return JSON.parse(readFileSync(sessionFile, "utf8"));
  } catch {
    return null;
  }
}

const changed = () => {
  try {
    return statSync(sessionFile).mtimeMs;
  } catch {
    return 0;
  }
};

/** Stays connected while there is a session, and waits for one while there is none. */
async function run() {
  for (let tries = 0; ; tries++) {
    const stamp = changed();
    const kept = session();
    let end = { state: "login", reason: "nobody is logged in to Zalo" };
    if (kept) {
      try {
        end = await connection(kept, () => (tries = 0));
      } catch (error) {
        // What Zalo refuses is refused until the owner logs in anew; the network comes back by itself.
        const refused = error instanceof ZaloApiError;
        end = refused
          ? { state: "login", reason: "Zalo does not take the session any more" }
          : { state: "connecting", reason: `Zalo can't be reached: ${error?.cause?.code ?? error?.message}` };
      }
    }
    api = null;
    status(end.state, end.reason);
    if (end.state === "login") {
      while (changed() === stamp) await pause(2);
      tries = -1;
    } else {
      await pause(RETRY[Math.min(tries, RETRY.length - 1)]);
    }
  }
}

/** One connection, from the login to its end. */
async function connection(kept, connected) {
  const logged = await new Zalo(OPTIONS).login(kept);
  const { listener } = logged;
  return new Promise((resolve) => {
    listener.on("connected", () => {
      api = logged;
      connected();
      status("ready");
    });
    // What came while nobody was connected; the key comes before it, which opens it.
    listener.on("cipher_key", () => listener.requestOldMessages(ThreadType.User));
    listener.on("old_messages", (messages) => {
      const missed = messages.map(read).filter(({ at }) => at > place.since);
      for (const message of missed.sort((one, two) => one.at - two.at)) tell(message);
    });
    listener.on("message", (message) => tell(read(message)));
    listener.on("undo", (undo) => say({ ...head(undo), kind: "other" }));
    listener.on("reaction", (reaction) => say({ ...head(reaction), kind: "reaction" }));
    listener.on("error", () => {});
    listener.on("closed", (code) =>
      resolve(
        code === 3000
          ? { state: "connecting", reason: "the account is open on Zalo's web page elsewhere, which takes the connection" }
          : { state: "connecting", reason: `Zalo hung up (${code})` },
      ),
    );
    listener.start();
  });
}

/**
 * Where we stand: the ids of the last messages with their times, and the time before which none is asked for. It goes with each
 * message as its cursor, so that dmgate keeps it.
 */
let place = null;

function placed(cursor) {
  try {
    const { since, known } = JSON.parse(cursor);
    if (Number.isFinite(since) && Array.isArray(known)) return { since, known };
  } catch {
    // There is none yet.
  }
  return { since: Date.now(), known: [] };
}

/** Says a message, once. A group's is never asked for. */
function tell(message) {
  if (message.chat.kind !== "direct") return say(message);
  if (message.id && place.known.some(([id]) => id === message.id)) return;
  place.known.push([message.id, message.at ?? 0]);
  if (place.known.length > KNOWN) place.since = Math.max(place.since, place.known.shift()[1]);
  say({ ...message, cursor: JSON.stringify(place) });
}

/** Who did it and where. What came among a group's events is a group's. */
function head({ data, threadId, type, isGroup, isSelf }) {
  const group = isGroup ?? type !== ThreadType.User;
  return {
    id: String(data.msgId ?? ""),
    chat: { id: String(threadId), kind: group ? "group" : "direct" },
    from: { id: String(data.uidFrom), name: data.dName, kind: isSelf ? "self" : "person" },
    at: Number(data.ts) || undefined,
  };
}

function read(message) {
  const { content, msgType } = message.data;
  if (typeof content === "string") return { ...head(message), text: content };
  const text = [content?.title, content?.description].filter((part) => typeof part === "string" && part).join("\n");
  const kinds = { "chat.photo": "image", "chat.gif": "image", "chat.video.msg": "video", "chat.voice": "audio", "share.file": "file" };
  const kind = kinds[msgType];
  if (!kind || typeof content?.href !== "string") return { ...head(message), text, kind: text ? "message" : "other" };
  return { ...head(message), text, attachments: [{ kind, name: content.title || undefined, reference: content.href }] };
}

// === Files ===

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

/** Loads a file, from Zalo's own hosts only. */
async function load(reference, until) {
  const url = URL.canParse(reference) ? new URL(reference) : null;
  const known = url?.protocol === "https:" && /\.(zdn\.vn|zadn\.vn|zalo\.me|dlfl\.vn)$/.test(url.hostname) && !url.port;
  if (!known) throw new Refusal(-32602, "it is said to be at a host that is not Zalo's");
  const got = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(Math.max(until - Date.now(), 1)) });
  if (!got.ok || !got.body) throw new Refusal(-32603, `Zalo answers ${got.status}`);
  const parts = [];
  let size = 0;
  for await (const part of got.body) {
    size += part.length;
    if (size > FILE_LIMIT) throw new Refusal(-32602, "it is too large");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

// === Logging in ===

/** Shows codes until one is scanned and confirmed, and keeps the session. */
async function logIn() {
  const show = (params) => send({ method: "login", params });
  let credentials = null;
  await new Zalo(OPTIONS).loginQR({}, ({ type, data, actions }) => {
    switch (type) {
      case LoginQRCallbackEventType.QRCodeGenerated:
        return show({ picture: data.image, told: "Scan the code with Zalo: the QR sign at the top of its first page." });
      case LoginQRCallbackEventType.QRCodeExpired:
        show({ told: "The code is out of date; here is another." });
        return actions.retry();
      case LoginQRCallbackEventType.QRCodeScanned:
        return show({ told: `Scanned by ${data.display_name}; confirm it on the telephone.` });
      case LoginQRCallbackEventType.QRCodeDeclined:
        return actions.abort();
      case LoginQRCallbackEventType.GotLoginInfo:
        credentials = { imei: data.imei, cookie: data.cookie, userAgent: data.userAgent };
    }
  });
  const written = `${sessionFile}.new`;
  writeFileSync(written, JSON.stringify(credentials), { mode: 0o600 });
  renameSync(written, sessionFile);
  return { told: "Logged in to Zalo." };
}

function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
