// As much of Baileys as the bridge uses, in a test's hands: what it does once it is in is in ./acts.js.

import { EventEmitter } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as acts from "./acts.js";

export const DisconnectReason = { restartRequired: 515, loggedOut: 401, badSession: 500, forbidden: 403, connectionReplaced: 440 };
export const proto = { WebMessageInfo: { StubType: { CIPHERTEXT: 2 } } };
export const BufferJSON = {};
export const normalizeMessageContent = (message) => message;
export const getContentType = (content) => Object.keys(content)[0];

export function jidDecode(jid) {
  const [user, server] = jid.split("@");
  return server ? { user: user.split(":")[0], server } : undefined;
}

export class USyncQuery {
  users = [];
  withLIDProtocol = () => this;
  withContext = () => this;
  withUser = (user) => (this.users.push(user), this);
}

export class USyncUser {
  withId = (id) => ((this.id = id), this);
}

export async function useMultiFileAuthState(folder) {
  mkdirSync(folder, { recursive: true });
  const creds = JSON.parse(readFileSync(join(folder, "creds.json"), "utf8"));
  return { state: { creds, keys: { get: async () => ({}), set: acts.write ?? (async () => {}) } } };
}

export function makeWASocket({ auth }) {
  const [ev, ws] = [new EventEmitter(), new EventEmitter()];
  const signalRepository = { lidMapping: { getPNForLID: async (lid) => acts.remembered?.[lid] ?? null } };
  const executeUSyncQuery = async ({ users }) => ({ list: users.map(({ id }) => ({ id, lid: acts.owners?.[id] })) });
  const end = (error) => {
    acts.left?.(ev, auth);
    ev.emit("connection.update", { connection: "close", lastDisconnect: { error } });
  };
  setImmediate(() => {
    ev.emit("connection.update", { connection: "open" });
    acts.entered?.(ev, auth);
  });
  return { ev, ws, end, signalRepository, executeUSyncQuery };
}

export async function downloadContentFromMessage({ directPath }) {
  // Where it stands in what is said.
  process.stdout.write(`{"loads":"${directPath}"}\n`);
  return [Buffer.from(`<${directPath}>`)];
}
