// npm: @twurple/api@8.1.4 @twurple/auth@8.1.4 @twurple/eventsub-ws@8.1.4 newer-auth@npm:@twurple/auth@8.2.0

import { ApiClient } from "@twurple/api";
import { RefreshingAuthProvider, getTokenInfo } from "@twurple/auth";
import { EventSubWsListener } from "@twurple/eventsub-ws";
// Its first version with a login by device code has no EventSub yet.
import { exchangeDeviceCode, startDeviceCodeFlow } from "newer-auth";

import { same, standIn } from "./stand-in.mjs";

const twitch = await standIn("twitch");
const { client_id: clientId, client_secret: clientSecret, refresh_token: refreshToken, api_base: base } = twitch.settings;
process.env.TWURPLE_MOCK_API_PORT = new URL(base).port;

// A token is renewed, and what renews it changes.
const authProvider = new RefreshingAuthProvider({ clientId, clientSecret });
let renewed;
authProvider.onRefresh((_, token) => (renewed = token.refreshToken));
const user = await authProvider.addUserForToken({ accessToken: "old", refreshToken, expiresIn: 0, obtainmentTimestamp: 0 });
same([typeof renewed, renewed === refreshToken], ["string", false], "another refresh token");
const info = await getTokenInfo((await authProvider.getAccessTokenForUser(user)).accessToken, clientId);
same([info.userId, info.scopes.includes("user:manage:whispers")], [user, true], "whose token it is");

const came = [];
const waiting = [];
const next = () => (came.length ? Promise.resolve(came.shift()) : new Promise((resolve) => waiting.push(resolve)));
const apiClient = new ApiClient({ authProvider });
const listener = new EventSubWsListener({ apiClient });
const subscribed = new Promise((resolve, reject) => {
  listener.onSubscriptionCreateSuccess(resolve);
  listener.onSubscriptionCreateFailure((_, error) => reject(error));
});
listener.onUserWhisperMessage(user, (event) => {
  const waiter = waiting.shift();
  if (waiter) waiter(event);
  else came.push(event);
});
listener.start();
await subscribed;
await twitch.write("hello");
const event = await next();
same([event.messageText, event.userId === user], ["hello", true], "a whisper");
await apiClient.whispers.sendWhisper(user, event.senderUserId, "hello yourself");
same(await twitch.read(), "hello yourself", "a whisper back");
const refused = await apiClient.whispers.sendWhisper(user, "1", "x").catch((error) => error.statusCode);
same(refused, 404, "a whisper to nobody");

// Twitch moves the connection; nothing is lost.
await fetch(new URL("/stand-in/reconnect", base));
await new Promise((resolve) => setTimeout(resolve, 500));
await twitch.write("afterwards");
same((await next()).messageText, "afterwards", "a whisper over the new connection");

// Logging in with a browser.
const device = await startDeviceCodeFlow(clientId, ["user:manage:whispers"]);
const pending = await exchangeDeviceCode(clientId, device.deviceCode, ["user:manage:whispers"]).catch((error) => error.statusCode);
same(pending, 400, "nobody has allowed it yet");
const token = await exchangeDeviceCode(clientId, device.deviceCode, ["user:manage:whispers"]);
same(typeof token.refreshToken, "string", "a login");

console.log("a renewal, a subscription, a whisper, one back, a refusal, a move to another connection, a device code");
listener.stop();
twitch.end();
process.exit(0);
