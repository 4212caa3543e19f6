//! The adapter against its fixtures and against a Bot API that misbehaves.

mod errors;
mod fetch;
mod hook;
mod parse;
mod poll;

use std::sync::Arc;

use dmgate::{AccountKey, InboundMessage, Inbox, OutboundText, ReplyRoute, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fake_server::{FakeServer, NO_WAIT};

const TOKEN: &str = "1459232241454765289:t0ken-of_the_bot";
const ANN: &str = "e4ea2cd5189df1c3a88c";

fn account() -> AccountKey {
    AccountKey::parse("zalo", "default").unwrap()
}

/// A bot of `server`'s, in a hurry.
fn bot(server: &FakeServer, change: impl FnOnce(&mut Config)) -> Arc<Zalo> {
    let mut config = Config::new(Secret::new(TOKEN));
    config.api_base = server.base();
    change(&mut config);
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    let mut bot = Zalo::open(setup, config).ok().unwrap();
    bot.pace.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bot)
}

/// A bot that runs.
struct Running {
    bot: Arc<Zalo>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Zalo>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

/// Answers what a bot asks before it polls; there is no web hook.
async fn welcome(server: &FakeServer) {
    let call = server.call().await;
    assert_eq!(call.line, format!("POST /bot{TOKEN}/getMe"));
    call.json_answer(200, ok(json!({ "id": "1459232241454765289", "account_type": "BASIC" }))).await;
    let call = server.call().await;
    assert_eq!(call.method(), "getWebhookInfo");
    call.json_answer(200, ok(json!({ "url": "", "updated_at": 1 }))).await;
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

fn hello(number: u32) -> Value {
    json!({
        "event_name": "message.text.received",
        "message": {
            "message_id": format!("16f6366b3f0264{number:06x}"),
            "from": { "id": ANN, "display_name": "Ann", "is_bot": false },
            "chat": { "id": ANN, "chat_type": "PRIVATE" },
            "date": 1_767_224_901_123_i64,
            "text": format!("hello {number}"),
        }
    })
}

fn ok(result: impl serde::Serialize) -> Value {
    json!({ "ok": true, "result": result })
}

/// Zalo refuses with 200.
fn refusal(code: u16, description: &str) -> Value {
    json!({ "ok": false, "error_code": code, "description": description })
}
