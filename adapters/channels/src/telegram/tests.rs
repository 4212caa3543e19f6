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

const TOKEN: &str = "111:t0ken-of_the_bot";

fn account() -> AccountKey {
    AccountKey::parse("telegram", "default").unwrap()
}

/// A bot of `server`'s, in a hurry.
fn bot(server: &FakeServer, change: impl FnOnce(&mut Config)) -> Arc<Telegram> {
    let mut config = Config::new(Secret::new(TOKEN));
    config.api_base = server.base();
    change(&mut config);
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    let mut bot = Telegram::open(setup, config).ok().unwrap();
    bot.pace.first_retry = NO_WAIT;
    bot.pace.longest_retry = NO_WAIT;
    Arc::new(bot)
}

/// A bot that runs.
struct Running {
    bot: Arc<Telegram>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Telegram>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

fn hello(update_id: i64) -> Value {
    json!({
        "update_id": update_id,
        "message": {
            "message_id": update_id,
            "from": { "id": 42, "is_bot": false, "first_name": "Ann" },
            "chat": { "id": 42, "type": "private" },
            "text": format!("hello {update_id}"),
        }
    })
}

fn ok(result: impl serde::Serialize) -> Value {
    json!({ "ok": true, "result": result })
}

fn refusal(code: u16, description: &str) -> Value {
    json!({ "ok": false, "error_code": code, "description": description })
}
