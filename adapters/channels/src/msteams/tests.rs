//! The adapter against its fixtures and against a Bot Framework that misbehaves.

mod errors;
mod fetch;
mod hook;
mod life;
mod parse;

use std::sync::LazyLock;
use std::time::Duration;

use dmgate::testing::ManualClock;
use dmgate::{AccountKey, InboundMessage, TextKind};
use dmgate_test_peers::SigningKey;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::Secret;
use crate::fake_server::{Call, FakeServer, NO_WAIT};

const APP_ID: &str = "11111111-2222-3333-4444-555555555555";
const TENANT: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";
const PASSWORD: &str = "app~passw0rd";
const SERVICE: &str = "https://smba.trafficmanager.net/amer/a1b2c3d4-e5f6-7890-abcd-ef1234567890/";

/// 2026-01-02T18:30:00Z.
const NOW: i64 = 1_767_378_600;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("one"));
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("one"));
static UNENDORSED: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("unendorsed"));

fn account() -> AccountKey {
    AccountKey::parse("msteams", "default").unwrap()
}

fn config(server: &FakeServer) -> Config {
    let mut config = Config::new(APP_ID, Secret::new(PASSWORD), TENANT);
    config.service_urls = vec![server.base()];
    config.openid_base = server.base();
    config.login_base = server.base();
    config
}

fn bot_at(server: &FakeServer, clock: &ManualClock) -> Arc<Teams> {
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    setup.world = clock.world();
    let mut bot = Teams::open(setup, config(server)).ok().unwrap();
    bot.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bot)
}

fn bot(server: &FakeServer) -> Arc<Teams> {
    bot_at(server, &ManualClock::at(NOW * 1_000))
}

/// A bot that has its keys.
async fn ready(server: &FakeServer) -> Arc<Teams> {
    let bot = bot(server);
    let (renewed, ()) = tokio::join!(bot.verifier.keys.renew(), say_keys(server));
    renewed.unwrap();
    bot
}

/// Answers who asks for keys.
async fn say_keys(server: &FakeServer) {
    let call = server.call().await;
    assert_eq!(call.line, "GET /.well-known/openidconfiguration");
    call.json_answer(200, json!({ "jwks_uri": format!("{}/.well-known/keys", server.base()) })).await;
    let call = server.call().await;
    assert_eq!(call.line, "GET /.well-known/keys");
    let mut endorsed = KEY.jwk();
    endorsed["endorsements"] = json!(["webchat", "msteams"]);
    call.json_answer(200, json!({ "keys": [endorsed, UNENDORSED.jwk()] })).await;
}

/// Gives a token to who asks for one.
async fn give_token(call: Call, token: &str) {
    assert_eq!(call.line, format!("POST /{TENANT}/oauth2/v2.0/token"));
    let form = String::from_utf8(call.body.to_vec()).unwrap();
    let scope = "https%3A%2F%2Fapi.botframework.com%2F.default";
    let expected = format!(
        "grant_type=client_credentials&client_id={APP_ID}&client_secret=app%7Epassw0rd&scope={scope}"
    );
    assert_eq!(form, expected);
    call.json_answer(200, json!({ "token_type": "Bearer", "expires_in": 3_599, "access_token": token }))
        .await;
}

/// A bot that runs.
struct Running {
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Teams>) -> Running {
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { messages, shutdown, ended }
}

fn claims() -> Value {
    json!({
        "iss": "https://api.botframework.com", "aud": APP_ID, "serviceurl": SERVICE, "nbf": NOW - 60,
        "exp": NOW + 3_600,
    })
}

fn hello(id: usize) -> Value {
    json!({
        "type": "message",
        "id": id.to_string(),
        "timestamp": "2026-01-02T18:28:24.3788393Z",
        "channelId": "msteams",
        "serviceUrl": SERVICE,
        "from": { "id": "29:ann", "name": "Ann", "aadObjectId": "00000000-1111-2222-3333-444444444444" },
        "conversation": { "id": "a:1", "conversationType": "personal", "tenantId": TENANT },
        "recipient": { "id": format!("28:{APP_ID}") },
        "text": format!("hello {id}"),
    })
}

fn request(token: &str, body: impl Into<Bytes>) -> http::Request<Bytes> {
    let request = http::Request::post("/webhooks/msteams/default");
    request.header("authorization", format!("Bearer {token}")).body(body.into()).unwrap()
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}
