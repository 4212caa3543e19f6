//! The adapter against its fixtures and against a NAS that misbehaves.

mod errors;
mod hook;
mod parse;

use std::sync::Arc;

use dmgate::{AccountKey, InboundMessage, Inbox, OutboundText, ReplyRoute, TextKind};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fake_server::{Call, FakeServer, NO_WAIT};

const TOKEN: &str = "HfjT9wFaKeToken";
const LIST: &str =
    "GET /webapi/entry.cgi?api=SYNO.Chat.External&method=user_list&version=2&token=%22HfjT9wFaKeToken%22";
const POST: &str =
    "POST /webapi/entry.cgi?api=SYNO.Chat.External&method=chatbot&version=2&token=%22HfjT9wFaKeToken%22";

fn account() -> AccountKey {
    AccountKey::parse("synology-chat", "default").unwrap()
}

/// A bot of `server`'s, in a hurry.
fn bot(server: &FakeServer) -> Arc<SynologyChat> {
    let mut setup = Setup::new(account());
    setup.public_url = Some("https://gate.example.org".to_owned());
    let mut bot = SynologyChat::open(setup, Config::new(server.base(), Secret::new(TOKEN))).ok().unwrap();
    bot.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bot)
}

/// A bot that knows who is on the NAS.
async fn introduced(server: &FakeServer) -> Arc<SynologyChat> {
    let bot = bot(server);
    let (asked, ()) = tokio::join!(bot.people.ask(&bot.api), async { list(server.call().await).await });
    asked.unwrap();
    bot
}

/// Answers with everybody: 4 is alice, 5 is bob.
async fn list(call: Call) {
    assert_eq!(call.line, LIST);
    let users = json!([
        { "user_id": 4, "username": "a.smith", "nickname": "alice", "deleted": false },
        { "user_id": 5, "username": "bob", "nickname": "" },
        { "user_id": 6, "username": null },
    ]);
    call.json_answer(200, ok(json!({ "users": users }))).await;
}

/// A bot that runs.
struct Running {
    bot: Arc<SynologyChat>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<SynologyChat>) -> Running {
    let (inbox, _messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), shutdown, ended }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

/// The body of a call: `user` says it, and its number is the post's.
fn call(user: (u64, &str), post: u32) -> String {
    let (number, name) = user;
    format!(
        "token={TOKEN}&user_id={number}&username={name}&post_id={post}&timestamp=1767224901123&text=hello+{post}"
    )
}

async fn post(bot: &SynologyChat, body: impl Into<Bytes>) -> (u16, Vec<InboundMessage>) {
    let request = http::Request::post("/webhooks/synology-chat/default").body(body.into()).unwrap();
    let answer = bot.webhook(request).await.taken();
    assert!(answer.response.body().is_empty(), "what is in it would be posted");
    (answer.response.status().as_u16(), answer.messages)
}

fn ok(data: impl serde::Serialize) -> Value {
    json!({ "success": true, "data": data })
}

/// A NAS refuses with 200.
fn refusal(code: i64) -> Value {
    json!({ "success": false, "error": { "code": code, "errors": "no reason" } })
}
