// As much of zca-js as the bridge uses, in a test's hands: what comes is in ./acts.js.

import { EventEmitter } from "node:events";
import { entered, old } from "./acts.js";

export const ThreadType = { User: 0, Group: 1 };
export const LoginQRCallbackEventType = {};
export class ZaloApiError extends Error {}

export class Zalo {
  async login() {
    const listener = new EventEmitter();
    listener.stop = () => {};
    listener.start = () => {
      listener.emit("connected");
      listener.emit("cipher_key", "k");
      entered(listener);
    };
    listener.requestOldMessages = (type) => setImmediate(() => listener.emit("old_messages", old, type));
    return { listener };
  }
}
