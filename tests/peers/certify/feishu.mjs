// npm: @larksuiteoapi/node-sdk@1.74.0
//
// The library's EventDispatcher behind adaptDefault decrypts and verifies what the stand-in sends to a web hook, and answers
// its question; WSClient receives by long connection, in one part and in several; Client asks for a token and sends.

import lark from "@larksuiteoapi/node-sdk";
import { listen, same, standIn } from "./stand-in.mjs";

const quiet = () => {};
const logger = { error: quiet, warn: quiet, info: quiet, debug: quiet, trace: quiet };

/** A dispatcher that answers what it is told, and a client that sends. */
function app({ app_id: appId, app_secret: appSecret, api_base: domain, ...settings }) {
  const client = new lark.Client({ appId, appSecret, domain, logger });
  const dispatcher = new lark.EventDispatcher({
    encryptKey: settings.encrypt_key,
    verificationToken: settings.verification_token,
    logger,
  }).register({
    "im.message.receive_v1": async ({ sender, message }) => {
      same([sender.sender_type, message.chat_type, message.message_type], ["user", "p2p", "text"], "the message");
      await client.im.message.create({
        params: { receive_id_type: "open_id" },
        data: {
          receive_id: sender.sender_id.open_id,
          msg_type: "text",
          content: JSON.stringify({ text: `you said: ${JSON.parse(message.content).text}` }),
        },
      });
    },
  });
  return { client, dispatcher, appId, appSecret, domain };
}

async function speak(feishu, text) {
  await feishu.write(text);
  same(await feishu.read(), `you said: ${text}`, text);
}

const hooked = await standIn("feishu-webhook");
const { client, dispatcher } = app(hooked.settings);
const server = await listen(lark.adaptDefault("/hook", dispatcher, { autoChallenge: true }));
await hooked.callAt(server.base + "/hook");
await speak(hooked, "by web hook, 你好");
console.log("adaptDefault: decrypted, answered the challenge; EventDispatcher: verified and dispatched");

// A dispatcher with another key takes nothing.
let came = 0;
const other = new lark.EventDispatcher({ encryptKey: "another", logger }).register({
  "im.message.receive_v1": async () => came++,
});
const listening = await listen(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const said = JSON.parse(Buffer.concat(chunks));
  await other.invoke(Object.assign(Object.create({ headers: request.headers }), said));
  response.end(said.encrypt && !request.headers["x-lark-signature"] ? '{"challenge":"ajls384kdjx98XX"}' : "{}");
});
await hooked.callAt(listening.base);
await hooked.write("for nobody");
same(came, 0, "another key");

const mark = { uuid: "the-same", receive_id: "ou_0000000000000000000000000000feed", msg_type: "text" };
for (const text of ["once", "twice"]) {
  const sent = await client.im.message.create({
    params: { receive_id_type: "open_id" },
    data: { ...mark, content: JSON.stringify({ text }) },
  });
  same(sent.code, 0, text);
}
same(await hooked.read(), "once", "one text for each uuid");
const refused = await client.im.message
  .create({ params: { receive_id_type: "chat_id" }, data: { ...mark, uuid: "x", content: '{"text":"x"}' } })
  .catch((error) => error.response.data);
same(refused.code, 230034, "the code of a refusal");
console.log("Client: got a token, sent, sent once for one uuid, was refused by its code");
server.close();
listening.close();
hooked.end();

const feishu = await standIn("feishu");
const connected = app(feishu.settings);
const { appId, appSecret, domain } = connected;
const ready = new Promise((resolve) => {
  const socket = new lark.WSClient({ appId, appSecret, domain, logger, onReady: resolve });
  socket.start({ eventDispatcher: connected.dispatcher });
});
await ready;
await speak(feishu, "by connection");
await speak(feishu, "by connection, in parts, 你好");
await speak(feishu, "by connection, again");
const failed = new Promise((resolve) => {
  const wrong = new lark.WSClient({ appId, appSecret: "wrong", domain, logger, onError: resolve });
  wrong.start({ eventDispatcher: connected.dispatcher });
});
same(String(await failed).includes("514"), true, "a wrong secret");
console.log("WSClient: connected, received in one part and in several, answered; a wrong secret was refused");
feishu.end();
process.exit(0);
