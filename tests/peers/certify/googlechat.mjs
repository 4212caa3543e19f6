// Google's own libraries against the stand-in for Google Chat: the tokens that it signs calls with, the token that a service
// account gets, and a text into the space.
//
// npm: google-auth-library@10.9.1 @googleapis/chat@51.0.0

import { createRequire } from "node:module";
import { listen, same, standIn } from "./stand-in.mjs";

const require = createRequire(import.meta.url);
const { JWT, OAuth2Client } = require("google-auth-library");
const { chat } = require("@googleapis/chat");

for (const name of ["googlechat", "googlechat-project"]) {
  const google = await standIn(name);
  const { service_account, api_base, certs_base, addon_identity, audience } = google.settings;

  // What the stand-in calls an app with, as the library sees it.
  let came;
  const call = new Promise((resolve) => (came = resolve));
  const app = await listen((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      came({ event: JSON.parse(body), token: request.headers.authorization.replace("Bearer ", "") });
    });
  });
  const url = `${app.base}/webhooks/googlechat/default`;
  await google.callAt(url);
  await google.write("hello, app");
  const { event, token } = await call;
  const { message, space } = event.chat?.messagePayload ?? event;
  const certs = (path) => fetch(`${certs_base}/${path}`).then((answer) => answer.json());
  const verifier = new OAuth2Client();
  let issuers = ["https://accounts.google.com", "accounts.google.com"];
  let keys = "oauth2/v1/certs";
  if (audience) {
    issuers = ["chat@system.gserviceaccount.com"];
    keys = "service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com";
  }
  const verify = async (audience) =>
    verifier.verifySignedJwtWithCertsAsync(token, await certs(keys), audience, issuers);
  const payload = (await verify(audience ?? url)).getPayload();
  if (addon_identity) same([payload.email, payload.email_verified], [addon_identity, true], "the identity");
  const refused = await verify("another").then(() => "taken", (error) => error.message);
  same(refused, "Wrong recipient, payload audience != requiredAudience", "another audience");
  console.log(`verifySignedJwtWithCertsAsync: "${message.text}" of ${message.sender.name} is authentic (${name})`);

  // A token for the service account, which the library would ask for over TLS: only the host is another.
  const account = JSON.parse(service_account);
  const login = async (options) => {
    const address = `${options.url}`.replace("https://oauth2.googleapis.com/token", account.token_uri);
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(options.data) });
    const data = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(data.error), { response: { data } });
    return { data };
  };
  const client = (scope) => {
    const auth = new JWT({
      email: account.client_email,
      key: account.private_key,
      keyId: account.private_key_id,
      scopes: [`https://www.googleapis.com/auth/${scope}`],
    });
    const { request } = auth.transporter;
    auth.transporter.request = (options) =>
      `${options.url}`.includes("/token") ? login(options) : request.call(auth.transporter, options);
    return auth;
  };
  const wrong = await client("drive").authorize().then(() => "given", (error) => error.message);
  same(wrong.startsWith("invalid_scope"), true, `another scope: ${wrong}`);
  const auth = client("chat.bot");

  // A text into the space, twice with the same id.
  const api = chat({ version: "v1", auth, rootUrl: `${api_base}/` });
  const write = (parent) =>
    api.spaces.messages.create({ parent, requestId: "the-first", requestBody: { text: "hello, person" } });
  const sent = await write(space.name);
  const again = await write(space.name);
  same(again.data.name, sent.data.name, "the same request");
  same(await google.read(), "hello, person", "the text");
  const nowhere = await api.spaces.messages
    .create({ parent: "spaces/nowhere", requestBody: { text: "x" } })
    .catch((error) => error.status ?? error.code);
  same(Number(nowhere), 403, "a space without the app");
  const found = await api.spaces.findDirectMessage({ name: message.sender.name });
  same([found.data.name, found.data.singleUserBotDm], [space.name, true], "the direct message");
  console.log(`@googleapis/chat: written, ${sent.data.name}; it reached the person once (${name})`);
  google.end();
  app.close();
}
