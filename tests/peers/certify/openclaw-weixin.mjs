// npm: --legacy-peer-deps @tencent-weixin/openclaw-weixin@2.4.9
//
// Tencent's plugin for OpenClaw works with the stand-in: its login, its long poll, its sending, its files. OpenClaw itself
// is not there; the few functions of it that the plugin's API client names are put in its place.

import { mkdtempSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { same, standIn } from "./stand-in.mjs";

const state = mkdtempSync(join(tmpdir(), "dmgate-certify-"));
process.env.OPENCLAW_STATE_DIR = state;
const openclaw = `export const normalizeAccountId = (id) => id.replaceAll(/[@.]/g, "-");
  export const resolvePreferredOpenClawTmpDir = () => ${JSON.stringify(state)};
  export const withFileLock = (_, __, work) => work();`;
registerHooks({
  resolve: (name, context, next) =>
    name.startsWith("openclaw/")
      ? { url: `data:text/javascript,${encodeURIComponent(openclaw)}`, shortCircuit: true }
      : next(name, context),
});
const plugin = "@tencent-weixin/openclaw-weixin/dist/src";
const { getUpdates, getConfig, sendTyping, notifyStart, notifyStop } = await import(`${plugin}/api/api.js`);
const { sendMessageWeixin } = await import(`${plugin}/messaging/send.js`);
const { getWeixinMessageId } = await import(`${plugin}/messaging/inbound.js`);
const { uploadFileAttachmentToWeixin } = await import(`${plugin}/cdn/upload.js`);
const { downloadMediaFromItem } = await import(`${plugin}/media/media-download.js`);
const { startWeixinLoginWithQr, waitForWeixinLogin } = await import(`${plugin}/auth/login-qr.js`);

const weixin = await standIn("openclaw-weixin");
const { api_base: base, cdn_base: cdn } = weixin.settings;

// Its login knows Tencent's own address only; what it types is the telephone's number.
const fetched = globalThis.fetch;
globalThis.fetch = (url, options) =>
  fetched(String(url).replace(/^https:\/\/(ilinkai\.weixin\.qq\.com|127\.0\.0\.1:\d+)/, base), options);
const keys = new PassThrough();
Object.defineProperty(process, "stdin", { value: keys });
const write = process.stdout.write;
process.stdout.write = (text, ...rest) => {
  if (String(text).includes("输入")) setTimeout(() => keys.write("42\n"));
  return typeof rest.at(-1) === "function" ? rest.at(-1)() : true;
};
const started = await startWeixinLoginWithQr({ apiBaseUrl: base });
const login = await waitForWeixinLogin({ sessionKey: started.sessionKey, apiBaseUrl: base });
process.stdout.write = write;
same([login.connected, login.accountId, login.baseUrl], [true, "b0f5860fdecb@im.bot", base], "the login");
same(login.userId, "o9cq8person0@im.wechat", "who scanned");

const options = { baseUrl: base, token: login.botToken };
same((await notifyStart(options)).ret, 0, "the greeting");
const waiting = getUpdates({ ...options, get_updates_buf: "" });
await weixin.write("hello from a person");
const first = await waiting;
const [message] = first.msgs;
same(getWeixinMessageId(message), "7423918273645182735", "a number of 64 bits");
same([message.from_user_id, message.item_list[0].text_item.text], [login.userId, "hello from a person"], "the message");
await weixin.write("another");
const second = await getUpdates({ ...options, get_updates_buf: first.get_updates_buf });
same(second.msgs.map((message) => message.item_list[0].text_item.text), ["another"], "behind the cursor");

const contextToken = second.msgs[0].context_token;
const config = await getConfig({ ...options, ilinkUserId: login.userId, contextToken });
await sendTyping({
  ...options,
  body: { ilink_user_id: login.userId, typing_ticket: config.typing_ticket, status: 1 },
});
await sendMessageWeixin({ to: login.userId, text: "an answer", opts: { ...options, contextToken } });
same(await weixin.read(), "an answer", "what reaches the person");
const stale = sendMessageWeixin({ to: login.userId, text: "no", opts: { ...options, contextToken: "stale" } });
same(await stale.then(() => "sent", () => "refused"), "refused", "a text without the last context");

const file = join(state, "a.txt");
writeFileSync(file, "what is in the file");
const to = { filePath: file, fileName: "a.txt", toUserId: login.userId, opts: options, cdnBaseUrl: cdn };
const uploaded = await uploadFileAttachmentToWeixin(to);
const media = {
  encrypt_query_param: uploaded.downloadEncryptedQueryParam,
  aes_key: Buffer.from(uploaded.aeskey).toString("base64"),
};
let saved;
await downloadMediaFromItem(
  { type: 4, file_item: { media, file_name: "a.txt" } },
  { cdnBaseUrl: cdn, saveMedia: async (bytes) => ((saved = bytes), { path: file }), log() {}, errLog() {}, label: "" },
);
same(saved?.toString(), "what is in the file", "the file that came back");
same((await notifyStop(options)).ret, 0, "the goodbye");
const old = await getUpdates({ ...options, token: "token-1-of-the-bot", get_updates_buf: "" });
same(old.errcode, -14, "a login that another took the place of");
console.log("logs in, receives, shows typing, sends, loads a file up and down");
weixin.end();
process.exit(0);
