// npm: @line/bot-sdk@11.0.0
// LINE's own library: it verifies the stand-in's signature, and pushes a text to it.

import { LineBotClient, SignatureValidationFailed, middleware } from "@line/bot-sdk";
import { listen, same, standIn } from "./stand-in.mjs";

const line = await standIn("line");
const { channel_secret: channelSecret, channel_access_token: channelAccessToken, api_base } = line.settings;

/** A hook whose calls are verified with this secret, and what they held. */
const hook = async (channelSecret) => {
  const came = [];
  const verify = middleware({ channelSecret });
  const server = await listen((request, response) =>
    verify(request, response, (error) => {
      came.push(error ?? request.body);
      response.writeHead(200).end();
    }),
  );
  return { ...server, came };
};

const client = LineBotClient.fromChannelAccessToken({
  channelAccessToken,
  apiBaseURL: api_base,
  dataApiBaseURL: api_base,
});
const [right, wrong] = [await hook(channelSecret), await hook("another secret")];
await client.setWebhookEndpoint({ endpoint: right.base + "/hook" });
const { endpoint, active } = await client.getWebhookEndpoint();
same([endpoint, active], [right.base + "/hook", true], "where it calls");
await line.write("hello");
const event = right.came[0].events[0];
same([event.type, event.mode, event.source.type], ["message", "active", "user"], "what came");
same(event.message.text, "hello", "what was said");
await line.callAt(wrong.base);
await line.write("hello");
same(wrong.came[0] instanceof SignatureValidationFailed, true, "another secret is refused");

const to = event.source.userId;
const messages = [{ type: "text", text: "hello yourself" }];
const key = "123e4567-e89b-12d3-a456-426614174000";
await client.pushMessage({ to, messages }, key);
same(await line.read(), "hello yourself", "what was pushed");
const status = (call) => call.then(() => 200, (error) => error.status);
same(await status(client.pushMessage({ to, messages }, key)), 409, "the same key again");
same(await status(client.pushMessage({ to: to.replace("U", "X"), messages })), 400, "to nobody");
const text = "x".repeat(5001);
same(await status(client.pushMessage({ to, messages: [{ type: "text", text }] })), 400, "too long");
await client.showLoadingAnimation({ chatId: to, loadingSeconds: 60 });
const stranger = LineBotClient.fromChannelAccessToken({ channelAccessToken: "wrong", apiBaseURL: api_base });
same(await status(stranger.pushMessage({ to, messages })), 401, "another token");

console.log("signature verified and refused, text pushed once for its key, web hook set, loading shown, 400, 401, 409");
for (const one of [right, wrong]) one.close();
line.end();
