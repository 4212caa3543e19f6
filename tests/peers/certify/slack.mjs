// npm: @slack/bolt@5.1.0 @slack/socket-mode@3.1.0 @slack/web-api@8.2.0
//
// Bolt receives by HTTPReceiver, which verifies the signature and answers the challenge, and by SocketModeReceiver; its
// WebClient posts.

import bolt from "@slack/bolt";
import { listen, same, standIn } from "./stand-in.mjs";

/** An app that answers what it is told. */
async function echo(settings, receiver) {
  const clientOptions = { slackApiUrl: settings.api_base + "/" };
  const app = new bolt.App({ token: settings.bot_token, receiver, clientOptions, ignoreSelf: true });
  app.message(async ({ message, say, context }) => {
    same(message.channel_type, "im", "the kind of conversation");
    same(context.botUserId, "U0BOT", "who the bot is");
    await say(`you said: ${message.text}`);
  });
  return app;
}

async function speak(slack, how) {
  // Another text each time: one that is not acknowledged comes again.
  const text = `fish & <chips>, ${how}`;
  await slack.write(text);
  same(await slack.read(), `you said: ${text}`, how);
  console.log(`${how}: received, verified and answered`);
}

const hooked = await standIn("slack-webhook");
const http = new bolt.HTTPReceiver({ signingSecret: hooked.settings.signing_secret, endpoints: "/hook" });
await echo(hooked.settings, http);
const server = await listen(http.requestListener);
await hooked.callAt(server.base + "/hook");
await speak(hooked, "HTTPReceiver");
const wrong = new bolt.HTTPReceiver({ signingSecret: "another", endpoints: "/hook", logLevel: "error" });
let refused = 0;
const other = await listen((request, response) => {
  response.on("finish", () => (refused = response.statusCode));
  wrong.requestListener(request, response);
});
const body = JSON.stringify({ type: "url_verification", challenge: "x" });
const stamp = String(Math.floor(Date.now() / 1000));
await fetch(other.base + "/hook", {
  method: "POST",
  headers: { "x-slack-request-timestamp": stamp, "x-slack-signature": "v0=00", "content-type": "application/json" },
  body,
});
same(refused, 401, "a wrong signature");
const { WebClient } = await import("@slack/web-api");
const client = (token) =>
  new WebClient(token, { slackApiUrl: hooked.settings.api_base + "/", retryConfig: { retries: 0 }, logLevel: "error" });
const opened = await client(hooked.settings.bot_token).conversations.open({ users: "U0PERSON0" });
await client(hooked.settings.bot_token).chat.postMessage({ channel: opened.channel.id, text: "a &lt;b&gt;" });
same(await hooked.read(), "a <b>", "chat.postMessage");
for (const [token, channel, word] of [
  ["xoxb-wrong", "D0PERSON0", "invalid_auth"],
  [hooked.settings.bot_token, "C0ALL", "channel_not_found"],
]) {
  const error = await client(token).chat.postMessage({ channel, text: "x" }).catch((error) => error);
  same(error.data?.error, word, "the word of a refusal");
}
console.log("WebClient: opened a conversation, posted, was refused in Slack's words");
server.close();
other.close();
hooked.end();

const slack = await standIn("slack");
const receiver = new bolt.SocketModeReceiver({
  appToken: slack.settings.app_token,
  installerOptions: { clientOptions: { slackApiUrl: slack.settings.api_base + "/" } },
});
const socketed = await echo(slack.settings, receiver);
await socketed.start();
await speak(slack, "SocketModeReceiver");
await speak(slack, "SocketModeReceiver, again");
slack.end();
process.exit(0);
