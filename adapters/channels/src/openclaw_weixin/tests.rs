//! The adapter against its fixtures and against a server that misbehaves.

mod errors;
mod fetch;
mod life;
mod login;
mod parse;
mod poll;

use dmgate::{AccountKey, InboundMessage, Inbox, OutboundText, ReplyRoute, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Secret;
use crate::fake_server::{Call, FakeServer, NO_WAIT};

const TOKEN: &str = "t0ken-of-the-bot";

const BOT: &str = "b0f5860fdecb@im.bot";

const ANN: &str = "o9cq8ann@im.wechat";

fn account() -> AccountKey {
    AccountKey::parse("openclaw-weixin", "default").unwrap()
}

/// What a login at `server` leaves.
fn credentials(server: &FakeServer, token: &str) -> String {
    json!({ "token": token, "bot": BOT, "base": server.base(), "person": ANN }).to_string()
}

/// The surroundings of a bot that is logged in at `server`.
async fn logged_in(server: &FakeServer) -> Setup {
    let setup = Setup::new(account());
    setup.login.save(&credentials(server, TOKEN)).await.unwrap();
    setup
}

/// A bot of `server`'s, in a hurry.
fn bot(server: &FakeServer, setup: Setup, change: impl FnOnce(&mut Config)) -> Arc<Weixin> {
    let mut config = Config { api_base: server.base(), cdn_base: server.base(), ..Config::default() };
    change(&mut config);
    let mut bot = Weixin::open(setup, config).ok().unwrap();
    bot.pace.first_retry = NO_WAIT;
    bot.pace.longest_retry = NO_WAIT;
    bot.pace.look = NO_WAIT;
    Arc::new(bot)
}

/// A bot that runs.
struct Running {
    bot: Arc<Weixin>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Weixin>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

impl Running {
    /// Ends it; the server hears a goodbye.
    async fn end(self, server: &FakeServer) {
        self.shutdown.cancel();
        let ended = async { self.ended.await.unwrap().unwrap() };
        let ((), ()) = tokio::join!(ended, async {
            let call = poll_or(server, "notifystop").await;
            call.json_answer(200, json!({ "ret": 0 })).await;
        });
    }
}

/// The next call that is `method`; polls before it are cut off.
async fn poll_or(server: &FakeServer, method: &str) -> Call {
    loop {
        let call = server.call().await;
        if call.method() == method {
            return call;
        }
        assert_eq!(call.method(), "getupdates", "while {method} was expected");
    }
}

/// Takes the greeting.
async fn greet(server: &FakeServer) {
    let call = server.call().await;
    assert_eq!(call.line, "POST /ilink/bot/msg/notifystart");
    call.json_answer(200, json!({ "ret": 0 })).await;
}

/// The next poll: the cursor that it shows, and the call.
async fn polled(server: &FakeServer) -> (String, Call) {
    let call = server.call().await;
    assert_eq!(call.line, "POST /ilink/bot/getupdates");
    (call.json()["get_updates_buf"].as_str().unwrap().to_owned(), call)
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

fn hello(id: u64) -> Value {
    json!({
        "message_id": id,
        "from_user_id": ANN,
        "to_user_id": BOT,
        "create_time_ms": 1_767_224_901_000_u64,
        "message_type": 1,
        "message_state": 2,
        "item_list": [{ "type": 1, "text_item": { "text": format!("hello {id}") } }],
        "context_token": format!("ctx-{id}"),
    })
}

/// An answer to a poll.
fn batch(cursor: &str, messages: &[Value]) -> Value {
    json!({ "ret": 0, "msgs": messages, "get_updates_buf": cursor, "longpolling_timeout_ms": 35_000 })
}
