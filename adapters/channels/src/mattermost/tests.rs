//! The adapter against its fixtures, and against a server in the tests' hands.

mod errors;
mod life;
mod parse;

use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::fake_server::{Call, FakeServer, NO_WAIT};
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::kept::{Keeper, MemoryKeeper};
use crate::secret::Secret;

const TOKEN: &str = "b0t-t0ken";
const OWN: &str = "911gzgbxy3fwfbdf9eg6z8xgnw";
const ANN: &str = "cmr7sncacib4xfhd6yo3n4tf5e";
const CHANNEL_ID: &str = "1waumyyd6jyczrxntuiopybygy";

/// When the first post was posted, in milliseconds.
const START: i64 = 1_682_311_948_645;

fn account() -> AccountKey {
    AccountKey::parse("mattermost", "default").unwrap()
}

/// A server: its API and its sockets.
struct Fake {
    calls: FakeServer,
    sockets: FakeSocket,
    keeper: Arc<MemoryKeeper>,
}

impl Fake {
    async fn start() -> Self {
        let keeper = Arc::new(MemoryKeeper::default());
        Self { calls: FakeServer::start().await, sockets: FakeSocket::start().await, keeper }
    }

    /// A bot of its own, in a hurry, that keeps what the one before kept.
    fn bot(&self) -> Arc<Mattermost> {
        let config = Config::new(format!("{}/sub/", self.calls.base()), Secret::new(TOKEN));
        let mut setup = Setup::new(account());
        setup.keeper = Arc::clone(&self.keeper) as Arc<dyn Keeper>;
        let mut bot = Mattermost::open(setup, config).ok().unwrap();
        bot.retry = (NO_WAIT, NO_WAIT);
        bot.socket = SocketAddress::parse(&self.sockets.url("/sub/api/v4/websocket")).ok().unwrap();
        Arc::new(bot)
    }

    /// Answers the next call, which must be this one.
    async fn answer(&self, line: &str, answer: Value) {
        let call = self.calls.call().await;
        assert_eq!(call.line, line);
        assert_eq!(call.header("authorization"), Some("Bearer b0t-t0ken"));
        call.json_answer(200, answer).await;
    }

    /// Lets the bot in, as far as the hello.
    async fn enter(&self) -> FakePeer {
        self.answer("GET /sub/api/v4/users/me", json!({ "id": OWN, "username": "gate", "is_bot": true }))
            .await;
        let mut peer = self.sockets.accept().await;
        assert_eq!(peer.path, "/sub/api/v4/websocket");
        let challenge = json!({ "seq": 1, "action": "authentication_challenge", "data": { "token": TOKEN } });
        assert_eq!(peer.json().await, challenge);
        peer.say(r#"{"status":"OK","seq_reply":1}"#).await;
        peer.say(r#"{"event":"hello","data":{"connection_id":"c1"},"broadcast":{},"seq":0}"#).await;
        peer
    }

    /// Lets the bot in, where there is nothing to catch up.
    async fn welcome(&self) -> FakePeer {
        let peer = self.enter().await;
        self.answer("GET /sub/api/v4/users/me/channels", json!([])).await;
        peer
    }
}

/// A bot that runs.
struct Running {
    bot: Arc<Mattermost>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Mattermost>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

impl Running {
    async fn ready(&self) {
        self.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "key-1".to_owned() }
}

/// A post of Ann's.
fn post(number: i64) -> Value {
    json!({
        "id": format!("{number:026}"), "create_at": START + number, "update_at": START + number, "edit_at": 0,
        "delete_at": 0, "user_id": ANN, "channel_id": CHANNEL_ID, "root_id": "", "message": format!("hello {number}"),
        "type": "", "props": {}, "metadata": {},
    })
}

/// An event that tells of a new post in the channel of the two.
fn posted(seq: i64, post: &Value) -> String {
    let data = json!({
        "channel_type": "D", "channel_name": format!("{OWN}__{ANN}"), "sender_name": "@ann", "team_id": "",
        "post": post.to_string(),
    });
    json!({ "event": "posted", "data": data, "broadcast": { "channel_id": CHANNEL_ID }, "seq": seq })
        .to_string()
}

/// The channel of the two, where something was last posted then.
fn channel(last_post_at: i64) -> Value {
    json!({ "id": CHANNEL_ID, "type": "D", "name": format!("{OWN}__{ANN}"), "last_post_at": last_post_at, "team_id": "" })
}

/// What the API answers to a question for posts, the newest first.
fn posts(numbers: &[i64]) -> Value {
    let order: Vec<String> = numbers.iter().rev().map(|number| format!("{number:026}")).collect();
    let posts: serde_json::Map<String, Value> =
        numbers.iter().map(|number| (format!("{number:026}"), post(*number))).collect();
    json!({ "order": order, "posts": posts, "next_post_id": "", "prev_post_id": "" })
}
