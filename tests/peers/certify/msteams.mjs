// Microsoft's own libraries against the stand-in for Teams: the token that it signs a call with, the token that the bot gets,
// and a text into the conversation. And Microsoft's test tool beside it: what it sends has all that the stand-in sends.
//
// npm: botframework-connector@4.23.3 @azure/msal-node@2.16.2 @microsoft/m365agentsplayground@0.2.28

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { listen, same, standIn } from "./stand-in.mjs";

const require = createRequire(import.meta.url);
const { ConfidentialClientApplication } = require("@azure/msal-node");
const connector = require("botframework-connector");
const { ConnectorClient, JwtTokenValidation, MsalAppCredentials, SimpleCredentialProvider } = connector;

const teams = await standIn("msteams");
const { app_id, app_password, tenant_id, openid_base, login_base } = teams.settings;

// What the stand-in calls a bot with, as the library sees it.
connector.ChannelValidation.OpenIdMetadataEndpoint = `${openid_base}/.well-known/openidconfiguration`;
const calls = [];
const bot = await listen((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    response.writeHead(200).end();
    // The test tool looks first whether anybody is there.
    if (!body) return;
    calls.push({ activity: JSON.parse(body), authorization: request.headers.authorization ?? "" });
    waiting?.();
  });
});
let waiting;
const call = async () => {
  if (!calls.length) await new Promise((resolve) => (waiting = resolve));
  return calls.shift();
};
await teams.callAt(`${bot.base}/api/messages`);
await teams.write("hello, bot");
const { activity, authorization } = await call();
const credentials = new SimpleCredentialProvider(app_id, app_password);
const verify = (activity, header) => JwtTokenValidation.authenticateRequest(activity, header, credentials, "");
const identity = await verify(activity, authorization);
same([identity.isAuthenticated, identity.getClaimValue("aud")], [true, app_id], "the identity");
const wrong = { ...activity, serviceUrl: "https://evil.test/" };
const refused = await verify(wrong, authorization).then(() => "taken", (error) => error.message);
same(refused, "Unauthorized. ServiceUrl claim do not match.", "another service");
console.log(`JwtTokenValidation: "${activity.text}" of ${activity.from.aadObjectId} is authentic`);

// A token from Microsoft's login, which MSAL would fetch over TLS: only the host is another.
const login = async (url, options, method) => {
  const address = url.replace("https://login.microsoftonline.com", login_base);
  const answer = await fetch(address, { method, headers: options?.headers, body: options?.body });
  return { headers: Object.fromEntries(answer.headers), body: await answer.json(), status: answer.status };
};
const authority = `https://login.microsoftonline.com/${tenant_id}`;
const authorityMetadata = JSON.stringify({
  authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
  token_endpoint: `${authority}/oauth2/v2.0/token`,
  issuer: `${authority}/v2.0`,
  jwks_uri: `${authority}/discovery/v2.0/keys`,
});
const application = (clientSecret) =>
  new ConfidentialClientApplication({
    auth: { clientId: app_id, clientSecret, authority, authorityMetadata, knownAuthorities: ["login.microsoftonline.com"] },
    system: {
      networkClient: {
        sendGetRequestAsync: (url, options) => login(url, options, "GET"),
        sendPostRequestAsync: (url, options) => login(url, options, "POST"),
      },
    },
  });
const scope = "https://api.botframework.com";
const wrongSecret = new MsalAppCredentials(application("wrong"), app_id, authority, scope);
const noToken = await wrongSecret.getToken(true).then(() => "given", (error) => error.errorCode);
same(noToken, "invalid_client", "a wrong secret");
const own = new MsalAppCredentials(application(app_password), app_id, authority, scope);

// A text into the conversation.
const client = new ConnectorClient(own, { baseUri: activity.serviceUrl });
const reply = { type: "message", text: "hello, person", from: activity.recipient, recipient: activity.from };
const sent = await client.conversations.sendToConversation(activity.conversation.id, reply);
same(await teams.read(), "hello, person", "the text");
const nowhere = await client.conversations.sendToConversation("a:nowhere", reply).catch((error) => error.statusCode);
same(nowhere, 404, "no such conversation");
console.log(`ConnectorClient: sent, ${sent.id}; it reached the person`);

// The test tool sends activities of its own, unsigned.
const place = mkdtempSync(join(tmpdir(), "playground-"));
writeFileSync(join(place, "xdg-open"), "#!/bin/sh\n");
chmodSync(join(place, "xdg-open"), 0o755);
const port = await new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const tool = join(dirname(require.resolve("@microsoft/m365agentsplayground/package.json")), "cli.js");
const playground = spawn(
  process.execPath,
  [tool, "start", "-e", `${bot.base}/api/messages`, "-c", "msteams", "-p", `${port}`, "--disable-telemetry"],
  { cwd: place, env: { HOME: place, PATH: `${place}:${process.env.PATH}` }, stdio: "ignore" },
);
process.on("exit", () => playground.kill());
process.on("SIGTERM", () => process.exit(1));
try {
  const base = `http://127.0.0.1:${port}`;
  let chat;
  for (let tries = 0; !chat && tries < 300; tries += 1) {
    const answer = await fetch(`${base}/_internal/v1/config`).then((answer) => answer.json(), () => undefined);
    chat = answer?.config?.personalChat?.id;
    if (!chat) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const message = { from: { id: "user-id-0" }, text: "hello bot", textFormat: "plain" };
  const posted = fetch(`${base}/_conversation/v1/conversations/${chat}/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(message),
  });
  let real;
  do real = (await call()).activity;
  while (real.type !== "message");
  await posted;
  // Each field of the stand-in's is there, and of the same kind.
  const compare = (ours, theirs, path) => {
    if (ours && typeof ours === "object") {
      for (const key of Object.keys(ours)) compare(ours[key], theirs?.[key], `${path}.${key}`);
    } else {
      same(typeof theirs, typeof ours, path);
    }
  };
  compare(activity, real, "activity");
  same([real.type, real.channelId, real.conversation.conversationType], ["message", "msteams", "personal"], "the rest");
  const there = new ConnectorClient({ signRequest: async (request) => request }, { baseUri: real.serviceUrl });
  const taken = await there.conversations.sendToConversation(real.conversation.id, reply);
  console.log(`Agents Playground: its activity has every field of the stand-in's; takes the same text, ${taken.id ? "with" : "without"} an id`);
} finally {
  playground.kill();
}

teams.end();
bot.close();
