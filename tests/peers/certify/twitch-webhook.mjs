// npm: @twurple/api@8.1.4 @twurple/auth@8.1.4 @twurple/eventsub-http@8.1.4

import { ApiClient } from "@twurple/api";
import { AppTokenAuthProvider } from "@twurple/auth";
import { EventSubHttpListener, ReverseProxyAdapter } from "@twurple/eventsub-http";
import { createServer } from "node:net";

import { same, standIn } from "./stand-in.mjs";

const twitch = await standIn("twitch-webhook");
const { client_id: clientId, client_secret: clientSecret, webhook_secret: secret, api_base: base } = twitch.settings;
process.env.TWURPLE_MOCK_API_PORT = new URL(base).port;

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
// Twitch would go through a reverse proxy with TLS.
await twitch.callAt(`http://127.0.0.1:${port}/`);
const apiClient = new ApiClient({ authProvider: new AppTokenAuthProvider(clientId, clientSecret) });
const adapter = new ReverseProxyAdapter({ hostName: "gate.example.org", port });
const listener = new EventSubHttpListener({ apiClient, adapter, secret });
const verified = new Promise((resolve, reject) => {
  listener.onVerify(resolve);
  listener.onSubscriptionCreateFailure((_, error) => reject(error));
});
const came = new Promise((resolve) => listener.onUserWhisperMessage("424596340", resolve));
listener.start();
same(await verified, true, "the challenge is answered and its signature is right");
for (let tries = 0; ; tries++) {
  const { data } = await apiClient.eventSub.getSubscriptionsForType("user.whisper.message");
  if (data[0]?.status === "enabled") break;
  same(tries < 100, true, "the subscription is enabled");
  await new Promise((resolve) => setTimeout(resolve, 50));
}
await twitch.write("hello");
const event = await came;
same([event.messageText, event.userId], ["hello", "424596340"], "a whisper whose signature is right");

console.log("an application's token, a challenge, a signed whisper, a list of subscriptions");
twitch.end();
process.exit(0);
