//! The adapter against its fixtures and against a Google that misbehaves.

mod errors;
mod fetch;
mod hook;
mod life;
mod parse;

use std::sync::LazyLock;

use dmgate::testing::ManualClock;
use dmgate::{AccountKey, InboundMessage, TextKind};
use dmgate_test_peers::SigningKey;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::Secret;
use crate::fake_server::{FakeServer, NO_WAIT};

const ADD_ON: &str = "service-123456789012@gcp-sa-gsuiteaddons.iam.gserviceaccount.com";
const CHAT: &str = "chat@system.gserviceaccount.com";
const PROJECT: &str = "123456789012";
const HOOK: &str = "https://gate.example.org/webhooks/googlechat/default";

/// 2026-01-02T18:03:20Z.
const NOW: i64 = 1_767_377_000;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("one"));
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("one"));
static ACCOUNT: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("accounts"));

/// How the app is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    AddOn,
    Project,
}

impl Way {
    /// What Google says in a token for us.
    fn claims(self) -> Value {
        let id_token = |email: &str| {
            json!({
                "iss": "https://accounts.google.com", "aud": HOOK, "email": email, "email_verified": true,
                "iat": NOW - 60, "exp": NOW + 3_600,
            })
        };
        match self {
            Self::AddOn => id_token(ADD_ON),
            Self::Project => json!({ "iss": CHAT, "aud": PROJECT, "iat": NOW - 60, "exp": NOW + 3_600 }),
        }
    }
}

fn account() -> AccountKey {
    AccountKey::parse("googlechat", "default").unwrap()
}

fn service_account(server: &FakeServer) -> Value {
    json!({
        "type": "service_account",
        "private_key_id": ACCOUNT.id(),
        "private_key": ACCOUNT.private_key(),
        "client_email": "bot@project.iam.gserviceaccount.com",
        "token_uri": format!("{}/token", server.base()),
    })
}

fn config(server: &FakeServer, way: Way) -> Config {
    let mut config = Config::new(Secret::new(service_account(server).to_string()));
    config.api_base = server.base();
    config.certs_base = server.base();
    config.addon_identity = (way == Way::AddOn).then(|| ADD_ON.to_owned());
    config.audience = (way == Way::Project).then(|| PROJECT.to_owned());
    config
}

fn bot_at(server: &FakeServer, way: Way, clock: &ManualClock) -> Arc<GoogleChat> {
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    setup.world = clock.world();
    let mut bot = GoogleChat::open(setup, config(server, way)).ok().unwrap();
    bot.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bot)
}

fn bot(server: &FakeServer, way: Way) -> Arc<GoogleChat> {
    bot_at(server, way, &ManualClock::at(NOW * 1_000))
}

/// An app that has its keys.
async fn ready(server: &FakeServer, way: Way) -> Arc<GoogleChat> {
    let bot = bot(server, way);
    let (renewed, ()) = tokio::join!(bot.verifier.keys.renew(), say_keys(server, way));
    renewed.unwrap();
    bot
}

/// Answers who asks for keys.
async fn say_keys(server: &FakeServer, way: Way) {
    let call = server.call().await;
    if way == Way::Project {
        assert_eq!(call.line, format!("GET /service_accounts/v1/metadata/x509/{CHAT}"));
        call.json_answer(200, json!({ KEY.id(): KEY.certificate() })).await;
    } else {
        assert_eq!(call.line, "GET /oauth2/v3/certs");
        call.json_answer(200, json!({ "keys": [KEY.jwk()] })).await;
    }
}

/// Gives a token to who asks for one as Google wants it.
async fn give_token(server: &FakeServer, token: &str) {
    let call = server.call().await;
    assert_eq!(call.line, "POST /token");
    let form: Vec<_> = form_urlencoded::parse(&call.body).into_owned().collect();
    assert_eq!(form[0], ("grant_type".to_owned(), "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()));
    let claims = json!({
        "iss": "bot@project.iam.gserviceaccount.com", "scope": "https://www.googleapis.com/auth/chat.bot",
        "aud": format!("{}/token", server.base()), "iat": NOW, "exp": NOW + 3_600,
    });
    assert_eq!(ACCOUNT.read(&form[1].1), Some(claims), "{}", form[1].0);
    call.json_answer(200, json!({ "token_type": "Bearer", "expires_in": 3_599, "access_token": token }))
        .await;
}

/// An app that runs.
struct Running {
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<GoogleChat>) -> Running {
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { messages, shutdown, ended }
}

fn hello(id: usize) -> Value {
    let user = json!({ "name": "users/42", "displayName": "Ann", "type": "HUMAN" });
    let space = json!({ "name": "spaces/A-b_1", "spaceType": "DIRECT_MESSAGE", "singleUserBotDm": true });
    let message = json!({
        "name": format!("spaces/A-b_1/messages/{id}"), "sender": user, "text": format!("hello {id}"),
        "createTime": "2026-01-02T18:02:52.270735Z",
    });
    json!({ "chat": { "user": user, "messagePayload": { "space": space, "message": message } } })
}

fn request(token: &str, body: impl Into<Bytes>) -> http::Request<Bytes> {
    let request = http::Request::post("/webhooks/googlechat/default");
    request.header("authorization", format!("Bearer {token}")).body(body.into()).unwrap()
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "the key/1".to_owned() }
}
