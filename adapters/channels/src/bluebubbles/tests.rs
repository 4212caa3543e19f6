//! The adapter against its fixtures and against a BlueBubbles server in the test's hands.

mod fetch;
mod hook;
mod life;
mod parse;
mod send;

use dmgate::{AccountKey, Conversation, InboundMessage, TextKind};
use serde_json::{Value, json};

use super::*;
use crate::Secret;
use crate::fake_server::{FakeServer, NO_WAIT};

/// A password that looks otherwise in an address.
const PASSWORD: &str = "p@ss w&rd+1";
const ENCODED: &str = "p%40ss%20w%26rd%2B1";
const SECRET: &str = "hook-s3cret_of-20-letters";

fn account() -> AccountKey {
    AccountKey::parse("bluebubbles", "default").unwrap()
}

fn setup() -> Setup {
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    setup
}

/// An adapter for `server`, in a hurry.
fn bubbles(server: &FakeServer, change: impl FnOnce(&mut Config)) -> Arc<BlueBubbles> {
    let mut config = Config::new(server.base(), Secret::new(PASSWORD), Secret::new(SECRET));
    change(&mut config);
    let mut bubbles = BlueBubbles::open(setup(), config).ok().unwrap();
    bubbles.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bubbles)
}

/// What Ann writes.
fn written(guid: &str, text: &str) -> Value {
    json!({
        "type": "new-message",
        "data": {
            "guid": guid,
            "text": text,
            "handle": { "address": "+15551234567", "service": "iMessage" },
            "isFromMe": false,
            "dateCreated": 1_767_225_600_000_i64,
            "itemType": 0,
            "attachments": [],
            "chats": [{ "guid": "iMessage;-;+15551234567", "style": 45 }],
        }
    })
}

/// A call of the server's, to the address that we gave it.
fn call(query: &str, body: impl Into<Bytes>) -> http::Request<Bytes> {
    let request = http::Request::post(format!("/webhooks/bluebubbles/default{query}"));
    request.header("content-type", "application/json").body(body.into()).unwrap()
}

/// Gives a call to the adapter, as the web server does.
async fn give(bubbles: &BlueBubbles, request: http::Request<Bytes>) -> (u16, Vec<InboundMessage>) {
    let (head, body) = request.into_parts();
    let refused = bubbles.refuses(&head);
    let answer = bubbles.webhook(http::Request::from_parts(head, body)).await.taken();
    let status = answer.response.status();
    assert!(
        refused.is_none_or(|refused| refused == status),
        "what the head condemns is refused with its body"
    );
    (status.as_u16(), answer.messages)
}

fn said(data: impl serde::Serialize) -> Value {
    json!({ "status": 200, "message": "Success", "data": data })
}

fn refusal(status: u16, message: &str, data: impl serde::Serialize) -> Value {
    json!({ "status": status, "message": "Oh", "error": { "type": "T", "message": message }, "data": data })
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "k1".to_owned() }
}
