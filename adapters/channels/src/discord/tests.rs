//! The adapter against its fixtures and against a Discord in the test's hands.

mod errors;
mod fetch;
mod life;
mod parse;
mod resume;

use std::sync::Arc;

use dmgate::{AccountKey, InboundMessage, Inbox, OutboundText, ReplyRoute, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fake_server::{FakeServer, NO_WAIT};
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::kept::{Keeper, MemoryKeeper};

const TOKEN: &str = "MTk4NjIy.Cl2FMQ.s3cret-of_the_bot";

/// The bot's own id.
const OWN: &str = "1457469483726668048";

/// Milliseconds between two heartbeats.
const INTERVAL: u64 = 41_250;

/// Discord: its API and its gateway.
struct Side {
    server: FakeServer,
    gateway: FakeSocket,
    keeper: Arc<MemoryKeeper>,
}

impl Side {
    async fn start() -> Self {
        let (server, gateway) = (FakeServer::start().await, FakeSocket::start().await);
        Self { server, gateway, keeper: Arc::default() }
    }

    /// A bot of Discord's, in a hurry.
    fn bot(&self) -> Arc<Discord> {
        let mut config = Config::new(Secret::new(TOKEN));
        config.api_base = self.server.base();
        let mut setup = Setup::new(account());
        setup.keeper = Arc::clone(&self.keeper) as Arc<dyn Keeper>;
        let mut bot = Discord::open(setup, config).ok().unwrap();
        let base = self.gateway.url("").replace("ws", "http");
        bot.gateways = Hosts::new(&[], [base.as_str()]);
        bot.pace = Pace { retry: (NO_WAIT, NO_WAIT), anew: (NO_WAIT, NO_WAIT), again: [NO_WAIT; 2] };
        Arc::new(bot)
    }

    /// Says where the gateway is.
    async fn say_where(&self, remaining: u64) {
        let call = self.server.call().await;
        assert_eq!(call.line, "GET /gateway/bot");
        assert_eq!(call.header("authorization"), Some(&*format!("Bot {TOKEN}")));
        assert!(
            call.header("user-agent").unwrap().starts_with("DiscordBot (https://"),
            "Discord blocks others"
        );
        let limit =
            json!({ "total": 1000, "remaining": remaining, "reset_after": 14_400_000, "max_concurrency": 1 });
        call.json_answer(
            200,
            json!({ "url": self.gateway.url(""), "shards": 1, "session_start_limit": limit }),
        )
        .await;
    }

    /// The next connection, greeted, and what the bot says first.
    async fn greet(&self) -> (FakePeer, Value) {
        let mut peer = self.gateway.accept().await;
        assert_eq!(peer.path, "/?v=10&encoding=json");
        peer.say(
            &json!({ "op": 10, "d": { "heartbeat_interval": INTERVAL }, "s": null, "t": null }).to_string(),
        )
        .await;
        let word = peer.json().await;
        (peer, word)
    }

    /// Begins a session.
    async fn begin(&self) -> FakePeer {
        self.say_where(1_000).await;
        let (mut peer, word) = self.greet().await;
        assert_eq!((&word["op"], &word["d"]["token"]), (&json!(2), &json!(TOKEN)));
        self.ready(&mut peer).await;
        peer
    }

    async fn ready(&self, peer: &mut FakePeer) {
        let ready = json!({
            "v": 10, "user": { "id": OWN, "username": "gate", "bot": true }, "guilds": [], "session_id": "s1",
            "resume_gateway_url": self.gateway.url(""), "application": { "id": OWN, "flags": 0 },
        });
        peer.say(&dispatch(1, "READY", &ready)).await;
    }

    /// The next connection, which must go on after this event.
    async fn resume(&self, number: u64) -> FakePeer {
        let (peer, word) = self.greet().await;
        assert_eq!(word, json!({ "op": 6, "d": { "token": TOKEN, "session_id": "s1", "seq": number } }));
        peer
    }
}

/// A bot that runs.
struct Running {
    bot: Arc<Discord>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Discord>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

impl Running {
    async fn text(&mut self) -> String {
        self.messages.recv().await.unwrap().text
    }

    async fn reach(&self, wanted: ChannelStatus) {
        self.bot.status.reach(|status| *status == wanted).await;
    }

    /// Waits until it is not connected, for a reason with these words in it.
    async fn lose(&self, words: &str) {
        let told = |status: &ChannelStatus| matches!(status, ChannelStatus::Connecting(Some(reason)) if reason.contains(words));
        self.bot.status.reach(told).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn account() -> AccountKey {
    AccountKey::parse("discord", "default").unwrap()
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

fn dispatch(number: u64, name: &str, data: &Value) -> String {
    json!({ "op": 0, "t": name, "s": number, "d": data }).to_string()
}

/// A person's private message; its id is `id`.
fn hello(id: u64, text: &str) -> Value {
    json!({
        "id": (1_457_536_583_141_163_000 + id).to_string(), "type": 0, "channel_id": "1457536551830421525",
        "channel_type": 1, "content": text, "author": { "id": "1033044521375764530", "username": "ann" },
    })
}

/// The same, as the event of this number.
fn said(number: u64, text: &str) -> String {
    dispatch(number, "MESSAGE_CREATE", &hello(number, text))
}
