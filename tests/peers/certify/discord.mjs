// npm: discord.js@14.28.1

import { Client, GatewayIntentBits, Partials } from "discord.js";

import { same, standIn } from "./stand-in.mjs";

const discord = await standIn("discord");
const base = discord.settings.api_base;
const client = new Client({
  intents: [GatewayIntentBits.DirectMessages],
  partials: [Partials.Channel],
  rest: { api: base.replace(/\/v10$/, "") },
});

const came = [];
const waiting = [];
client.on("messageCreate", (message) => {
  if (message.author.bot) return;
  const next = waiting.shift();
  if (next) next(message);
  else came.push(message);
});
const next = () => (came.length ? Promise.resolve(came.shift()) : new Promise((resolve) => waiting.push(resolve)));
const event = (name) => new Promise((resolve) => client.once(name, resolve));

let replayed;
client.on("shardResume", (_, events) => (replayed = events));
const ready = event("clientReady");
await client.login(discord.settings.token);
await ready;
same(client.user.bot, true, "who the bot is");

await discord.write("hello");
const message = await next();
same([message.content, message.author.bot, message.guildId, message.channel.isDMBased()], ["hello", false, null, true], "a private message");
await message.channel.sendTyping();
await message.reply({ content: "hello yourself", allowedMentions: { parse: [] } });
same(await discord.read(), "hello yourself", "a reply");
const user = await client.users.createDM(message.author.id);
same(user.id, message.channelId, "the private channel of a user");

// The same text twice, under one number.
const once = { content: "once", nonce: "7", enforceNonce: true };
const [first, second] = [await message.channel.send(once), await message.channel.send(once)];
same(first.id, second.id, "a text with a number");
same(await discord.read(), "once", "a text with a number");
const refused = await message.channel.send("x".repeat(2001)).catch((error) => error.code);
same(refused, 50035, "a text that is too long");

// Sent away, the library comes again and goes on; what was written meanwhile is sent again.
const resumed = event("shardResume");
await fetch(new URL("/stand-in/reconnect", base));
await discord.write("meanwhile");
await resumed;
same((await next()).content, "meanwhile", "what was written meanwhile");
await discord.write("afterwards");
same((await next()).content, "afterwards", "what was written afterwards");

await client.destroy();
const stranger = new Client({ intents: [GatewayIntentBits.DirectMessages], rest: { api: base.replace(/\/v10$/, "") } });
const unknown = await stranger.login("MTIz.wrong.token").then(() => "in", (error) => error.code);
same(unknown, "TokenInvalid", "a wrong token");
const privileged = new Client({ intents: [GatewayIntentBits.MessageContent], rest: { api: base.replace(/\/v10$/, "") } });
const disallowed = await privileged.login(discord.settings.token).then(() => "in", (error) => error.message);
same(disallowed, "Used disallowed intents", "an intent that needs leave");

console.log(`login, a private message, typing, a reply, a number that holds, a resume (${replayed} events), refusals`);
discord.end();
process.exit(0);
