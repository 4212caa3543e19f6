// Runs telegram-test-api (an emulator of Telegram's Bot API) for one bot, and prints its port.
//
//   node telegram.js <folder of telegram-test-api> <bot token>
//
// The emulator keeps the messages and answers for the rest of the API. In front of it, this file adds what a bot
// relies on and the emulator leaves out:
//
// - getUpdates waits (`timeout`), and forgets only what was acknowledged (`offset`);
// - the `secret_token` of setWebhook comes back in the header X-Telegram-Bot-Api-Secret-Token, and updates are
//   delivered one after another and kept until they are accepted (the emulator itself sends no header, and ends when
//   a webhook refuses an update);
// - sendPhoto;
// - getWebhookInfo, and "Unauthorized" for any other token.
//
// Telegram also retries a refused update by itself after a while: here the next update, or the next setWebhook, sets
// it off, so that tests decide when.
"use strict";

const { once } = require("node:events");
const http = require("node:http");
const { createRequire } = require("node:module");

const [, , emulatorFolder, token] = process.argv;
const emulatorRequire = createRequire(`${emulatorFolder}/package.json`);
const express = emulatorRequire("express");
const TelegramServer = emulatorRequire("./");

class Emulator extends TelegramServer {
  delivery = Promise.resolve();
  lastError = undefined;

  // The updates that the bot has not acknowledged, oldest first.
  pending() {
    return this.storage.userMessages;
  }

  async addUserUpdate(update) {
    this.updateId += 1;
    this.storage.userMessages.push(update);
    this.emit("update");
    this.deliver();
  }

  // Posts what is pending to the webhook, if there is one, until an update is refused.
  deliver() {
    this.delivery = this.delivery.then(async () => {
      for (const update of [...this.pending()]) {
        const webhook = this.webhooks[token];
        if (!webhook) return;
        this.lastError = await post(webhook, TelegramServer.formatUpdate(update));
        if (this.lastError) return;
        this.removeUserMessage(update.updateId);
      }
    });
  }
}

async function post(webhook, update) {
  const headers = { "content-type": "application/json" };
  if (webhook.secret_token) headers["x-telegram-bot-api-secret-token"] = webhook.secret_token;
  try {
    const response = await fetch(webhook.url, { method: "POST", headers, body: JSON.stringify(update) });
    await response.arrayBuffer();
    return response.ok ? undefined : `Wrong response from the webhook: ${response.status} ${response.statusText}`;
  } catch (error) {
    return `${error.message}: ${error.cause?.message}`;
  }
}

const emulator = new Emulator();
const front = express();
front.use(express.json(), express.urlencoded({ extended: true }));

const refuse = (res, status, description) => res.status(status).json({ ok: false, error_code: status, description });

front.use("/bot:token", (req, res, next) => (req.params.token === token ? next() : refuse(res, 401, "Unauthorized")));

front.all("/bot:token/getUpdates", async (req, res) => {
  const { offset = 0, limit = 100, timeout = 0 } = { ...req.query, ...req.body };
  if (emulator.webhooks[token]) {
    return refuse(res, 409, "Conflict: can't use getUpdates method while webhook is active");
  }
  for (const update of [...emulator.pending()]) {
    if (update.updateId < Number(offset)) emulator.removeUserMessage(update.updateId);
  }
  if (emulator.pending().length === 0 && Number(timeout) > 0) {
    await once(emulator, "update", { signal: AbortSignal.timeout(Number(timeout) * 1000) }).catch(() => {});
  }
  const updates = emulator.pending().slice(0, Number(limit)).map(TelegramServer.formatUpdate);
  return res.json({ ok: true, result: updates });
});

front.all("/bot:token/setWebhook", (req, res) => {
  const webhook = { ...req.query, ...req.body };
  if (webhook.url) emulator.setWebhook(webhook, token);
  else emulator.deleteWebhook(token);
  emulator.deliver();
  res.json({ ok: true, result: true, description: "Webhook was set" });
});

front.all("/bot:token/getWebhookInfo", (_req, res) => {
  const url = emulator.webhooks[token]?.url ?? "";
  const info = { url, has_custom_certificate: false, pending_update_count: emulator.pending().length };
  res.json({ ok: true, result: { ...info, last_error_message: emulator.lastError } });
});

// For the test: what the bot sent to a chat, once that is at least `count` messages.
front.post("/replies", async (req, res) => {
  const { chatId, count } = req.body;
  const sent = () => emulator.storage.botMessages.filter(({ message }) => String(message.chat_id) === String(chatId));
  while (sent().length < count) await once(emulator, "AddedBotMessage");
  res.json(sent().map(({ message }) => message.text));
});

// A photo is kept as a text: its bytes in base64, a line break, its caption.
front.post("/bot:token/sendPhoto", express.raw({ type: "multipart/form-data", limit: "10mb" }), async (req, res) => {
  const headers = { "content-type": req.headers["content-type"] };
  const form = await new Response(req.body, { headers }).formData().catch(() => undefined);
  const [chat, caption, photo] = ["chat_id", "caption", "photo"].map((name) => form?.get(name));
  if (!chat) return refuse(res, 400, "Bad Request: chat_id is empty");
  if (typeof photo?.arrayBuffer !== "function") return refuse(res, 400, "Bad Request: there is no photo in the request");
  if ((caption ?? "").length > 1024) return refuse(res, 400, "Bad Request: message caption is too long");
  const bytes = Buffer.from(await photo.arrayBuffer());
  const text = `${bytes.toString("base64")}\n${caption ?? ""}`;
  return res.json({ ok: true, result: emulator.addBotMessage({ chat_id: chat, text }, token) });
});

front.use(emulator.webServer);

const server = http.createServer(front).listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening on ${server.address().port}\n`);
});
// The test that started us holds our input open for as long as it lives.
process.stdin.on("end", () => process.exit()).resume();
