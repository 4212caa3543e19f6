//! The adapter against its fixtures and against a Nextcloud server in the test's hands.

mod fetch;
mod hook;
mod life;
mod parse;
mod rooms;
mod send;

use dmgate::{AccountKey, Conversation, InboundMessage, TextKind};
use serde_json::{Value, json};

use super::*;
use crate::fake_server::{FakeServer, NO_WAIT};
use crate::signature::Signature;

const SECRET: &str = "bot-s3cret-of-forty-characters-or-more-0";
const PASSWORD: &str = "app-passw0rd";
const BACKEND: &str = "https://cloud.example.org/";

fn account() -> AccountKey {
    AccountKey::parse("nextcloud-talk", "default").unwrap()
}

/// A bot on `server`, which calls itself otherwise, with a user; in a hurry.
fn talk(server: &FakeServer, change: impl FnOnce(&mut Config)) -> Arc<NextcloudTalk> {
    let mut config = Config::new(server.base(), Secret::new(SECRET));
    config.backend = Some(BACKEND.to_owned());
    config.login = Some(Login { user: "assistant".to_owned(), password: Secret::new(PASSWORD) });
    change(&mut config);
    let mut talk = NextcloudTalk::open(Setup::new(account()), config).ok().unwrap();
    talk.retry = (NO_WAIT, NO_WAIT);
    Arc::new(talk)
}

/// The same, with what an earlier run kept.
fn talk_kept(server: &FakeServer, keeper: &Arc<dyn crate::kept::Keeper>) -> Arc<NextcloudTalk> {
    let mut talk = Arc::into_inner(talk(server, |_| {})).unwrap();
    talk.memory = Memory::new(account(), Arc::clone(keeper));
    Arc::new(talk)
}

/// What Ada writes in a conversation.
fn written(room: &str, id: u32, text: &str) -> Value {
    json!({
        "type": "Create",
        "actor": { "type": "Person", "id": "users/ada", "name": "Ada" },
        "object": {
            "type": "Note",
            "id": id.to_string(),
            "name": "message",
            "content": json!({ "message": text, "parameters": [] }).to_string(),
            "mediaType": "text/markdown",
        },
        "target": { "type": "Collection", "id": room, "name": "Ada" },
    })
}

/// A call of the server's with this random value, signed.
fn call(random: &str, body: impl Into<Bytes>) -> http::Request<Bytes> {
    let body = body.into();
    let signature = Signature::hmac(&Secret::new(SECRET), &[random.as_bytes(), &body]).to_hex();
    http::Request::post("/webhooks/nextcloud-talk/default")
        .header("content-type", "application/json")
        .header("X-Nextcloud-Talk-Random", random)
        .header("X-Nextcloud-Talk-Signature", signature)
        .header("X-Nextcloud-Talk-Backend", BACKEND)
        .body(body)
        .unwrap()
}

/// A random value for each number.
fn random(number: usize) -> String {
    format!("{number:064}")
}

/// Gives a call to the adapter, as the web server does.
async fn give(talk: &NextcloudTalk, request: http::Request<Bytes>) -> (u16, Vec<InboundMessage>) {
    let (head, body) = request.into_parts();
    let refused = talk.refuses(&head);
    let answer = talk.webhook(http::Request::from_parts(head, body)).await.taken();
    let status = answer.response.status();
    assert!(
        refused.is_none_or(|refused| refused == status),
        "what the head condemns is refused with its body"
    );
    (status.as_u16(), answer.messages)
}

fn ocs(data: impl serde::Serialize) -> Value {
    json!({ "ocs": { "meta": { "status": "ok", "statuscode": 200, "message": "OK" }, "data": data } })
}

/// Answers what conversations are: `direct…` is one-to-one, and so on.
async fn tell_rooms(server: Arc<FakeServer>) {
    loop {
        let call = server.call().await;
        let token = call.method().to_owned();
        let kind = ["", "direct", "group", "public", "changelog", "former", "note"];
        match kind.iter().skip(1).position(|kind| token.starts_with(kind)) {
            Some(at) => call.json_answer(200, ocs(json!({ "token": token, "type": at + 1 }))).await,
            None if token.starts_with("broken") => call.answer(500, "").await,
            None => call.json_answer(404, ocs(json!([]))).await,
        }
    }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}
