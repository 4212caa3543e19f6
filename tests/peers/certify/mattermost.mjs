// npm: @mattermost/client@11.9.0 @mattermost/types@11.9.0
//
// WebSocketClient receives, with its check of the numbers; Client4 posts and asks.

import mattermost from "@mattermost/client";
import { same, standIn } from "./stand-in.mjs";

const { Client4, WebSocketClient } = mattermost;
const log = console.log;
const server = await standIn("mattermost");
const { base_url: base, token } = server.settings;

const client = new Client4();
client.setUrl(base);
client.setToken(token);
const me = await client.getMe();
same([me.username, me.is_bot], ["gate", true], "who we are");

// It tells of its connections.
console.log = () => {};
const socket = new WebSocketClient();
let missed = 0;
socket.addMissedMessageListener(() => missed++);
const greeted = new Promise((resolve) => {
  socket.addMessageListener(async (event) => {
    if (event.event === "hello") resolve(event.data.connection_id);
    if (event.event !== "posted") return;
    const post = JSON.parse(event.data.post);
    if (post.user_id === me.id) return;
    same(event.data.channel_type, "D", "the kind of channel");
    same(event.data.channel_name.split("__").sort(), [me.id, post.user_id].sort(), "whose channel it is");
    await client.createPost({ channel_id: post.channel_id, message: `you said: ${post.message}` });
  });
});
socket.initialize(base.replace("http", "ws") + "/api/v4/websocket", token);
same(typeof (await greeted), "string", "the hello");
for (const text of ["fish & <chips>", "and peas"]) {
  await server.write(text);
  same(await server.read(), `you said: ${text}`, "an answer");
}
same(missed, 0, "numbers that are missing");
log("WebSocketClient: logged in, received, saw no gap; Client4 answered");

const channel = await client.createDirectChannel([me.id, "person00000000000000000000"]);
same(channel.type, "D", "a direct channel");
const { order, posts } = await client.getPostsSince(channel.id, 1);
same(order.map((id) => posts[id].message).reverse(), [
  "fish & <chips>",
  "you said: fish & <chips>",
  "and peas",
  "you said: and peas",
], "what was posted");
const refused = async (call, status, id) => {
  const error = await call.catch((error) => error);
  same([error.status_code, error.server_error_id], [status, id], "a refusal");
};
await refused(
  client.createPost({ channel_id: channel.id, message: "x".repeat(16384) }),
  400,
  "model.post.is_valid.message_length.app_error",
);
await refused(client.createPost({ channel_id: "x".repeat(26), message: "x" }), 403, "api.context.permissions.app_error");
client.setToken("wrong");
await refused(client.getMe(), 401, "api.context.session_expired.app_error");
log("Client4: opened a direct channel, asked for posts since, was refused in Mattermost's words");
server.end();
process.exit(0);
