//! The adapter against its fixtures and against a Messaging API that misbehaves.

mod errors;
mod fetch;
mod hook;
mod parse;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::{AccountKey, InboundMessage, Inbox, OutboundText, ReplyRoute, TextKind};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fake_server::{FakeServer, NO_WAIT};
use crate::signature::Signature;

const SECRET: &str = "channel_s3cret";
const TOKEN: &str = "t0ken-of/the+channel=";
const ANN: &str = "U4af4980629f0c1e2d3b4a59687a6b5c4";
const HOOK: &str = "https://gate.example.org/webhooks/line/default";

fn account() -> AccountKey {
    AccountKey::parse("line", "default").unwrap()
}

fn setup() -> Setup {
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    setup
}

/// A channel of `server`'s, in a hurry.
fn line(server: &FakeServer) -> Arc<Line> {
    line_with(server, setup())
}

fn line_with(server: &FakeServer, setup: Setup) -> Arc<Line> {
    let mut config = Config::new(Secret::new(SECRET), Secret::new(TOKEN));
    (config.api_base, config.data_base) = (server.base(), format!("{}/data", server.base()));
    let mut line = Line::open(setup, config).ok().unwrap();
    line.pace = Pace { retry: (NO_WAIT, NO_WAIT), readying: NO_WAIT };
    Arc::new(line)
}

/// A channel that runs.
struct Running {
    line: Arc<Line>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(line: &Arc<Line>) -> Running {
    let (inbox, _messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(line), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { line: Arc::clone(line), shutdown, ended }
}

fn text(body: &str, key: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: key.to_owned() }
}

/// A text of Ann's.
fn hello(number: u32) -> Value {
    json!({
        "type": "message",
        "mode": "active",
        "timestamp": 1_767_224_901_123_i64,
        "source": { "type": "user", "userId": ANN },
        "webhookEventId": format!("01FZ{number}"),
        "deliveryContext": { "isRedelivery": false },
        "replyToken": "r",
        "message": { "type": "text", "id": number.to_string(), "quoteToken": "q", "text": format!("hello {number}") },
    })
}

fn call(events: &[Value]) -> String {
    json!({ "destination": "U0", "events": events }).to_string()
}

fn digest(key: &str, body: &str) -> Vec<u8> {
    hex::decode(Signature::hmac(&Secret::new(key), &[body.as_bytes()]).to_hex()).unwrap()
}

fn signature(key: &str, body: &str) -> String {
    STANDARD.encode(digest(key, body))
}
