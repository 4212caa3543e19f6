//! The adapter against its fixtures and against a Graph API in the test's hands.

mod fetch;
mod hook;
mod life;
mod parse;
mod send;
mod web;

use dmgate::testing::ManualClock;
use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};

use super::*;
use crate::Secret;
use crate::fake_server::{FakeServer, NO_WAIT};
use crate::signature::Signature;

const NUMBER: &str = "106540352242922";
const TOKEN: &str = "EAAJ-acc3ss-t0ken";
const APP_SECRET: &str = "app-s3cret";
const VERIFY: &str = "ver1fy-t0ken";

fn account() -> AccountKey {
    AccountKey::parse("whatsapp", "default").unwrap()
}

/// When Ann writes.
const NOW: i64 = 1_767_225_600_000;

/// A number on `server`, in a hurry.
fn whatsapp(server: &FakeServer) -> Arc<WhatsApp> {
    whatsapp_with(server, Setup::new(account()), &ManualClock::at(NOW))
}

fn whatsapp_with(server: &FakeServer, mut setup: Setup, clock: &ManualClock) -> Arc<WhatsApp> {
    setup.world = clock.world();
    let secret = Secret::new;
    let mut config = Cloud::new(NUMBER.to_owned(), secret(TOKEN), secret(APP_SECRET), secret(VERIFY));
    config.api_base = format!("{}/v25.0", server.base());
    let mut whatsapp = WhatsApp::open(setup, config).ok().unwrap();
    whatsapp.retry = (NO_WAIT, NO_WAIT);
    Arc::new(whatsapp)
}

/// An update with these messages.
fn update_of(messages: impl serde::Serialize) -> Value {
    json!({
        "object": "whatsapp_business_account",
        "entry": [{
            "id": "102290129340398",
            "changes": [{
                "field": "messages",
                "value": {
                    "messaging_product": "whatsapp",
                    "metadata": { "display_phone_number": "15550783881", "phone_number_id": NUMBER },
                    "contacts": [{ "profile": { "name": "Ann" }, "wa_id": "16505551234" }],
                    "messages": messages,
                }
            }]
        }]
    })
}

/// What Ann writes.
fn written(id: u32, text: &str) -> Value {
    let id = format!("wamid.HBgL{id}=");
    json!({ "from": "16505551234", "id": id, "timestamp": "1767225600", "type": "text", "text": { "body": text } })
}

/// A call of Meta's, signed.
fn call(body: impl Into<Bytes>) -> http::Request<Bytes> {
    let body = body.into();
    let signature = Signature::hmac(&Secret::new(APP_SECRET), &[&body]).to_hex();
    http::Request::post("/webhooks/whatsapp/default")
        .header("X-Hub-Signature-256", format!("sha256={signature}"))
        .body(body)
        .unwrap()
}

/// Gives a call to the adapter, as the web server does: the status, the answer, the messages.
async fn give(whatsapp: &WhatsApp, request: http::Request<Bytes>) -> (u16, String, Vec<InboundMessage>) {
    let (head, body) = request.into_parts();
    let refused = whatsapp.refuses(&head);
    let answer = whatsapp.webhook(http::Request::from_parts(head, body)).await.taken();
    let status = answer.response.status();
    assert!(
        refused.is_none_or(|refused| refused == status),
        "what the head condemns is refused with its body"
    );
    let said = String::from_utf8(answer.response.into_body().to_vec()).unwrap();
    (status.as_u16(), said, answer.messages)
}

fn refusal(code: i64, message: &str) -> Value {
    json!({ "error": {
        "message": format!("(#{code}) {message}"), "type": "OAuthException", "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": "More of it" }, "fbtrace_id": "Az8",
    } })
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}
