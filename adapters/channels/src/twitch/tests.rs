//! The adapter against its fixtures and against a Twitch in the test's hands.

mod auth;
mod errors;
mod hook;
mod life;
mod parse;

use std::sync::Arc;

use dmgate::testing::ManualClock;
use dmgate::{AccountKey, InboundMessage, Inbox, OutboundText, ReplyRoute, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Secret;
use crate::fake_server::{Call, FakeServer, NO_WAIT};
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::kept::{Keeper, MemoryKeeper};

/// The bot's user id.
const OWN: &str = "424596340";

/// What signs web hooks.
const SECRET: &str = "hook s3cret of ten or more";

/// Now.
const NOW: i64 = 1_767_224_901_000;

/// When whispers are sent.
const STAMP: &str = "2025-12-31T23:48:21.634234626Z";

/// Twitch: its API, where tokens are had, and EventSub.
struct Side {
    server: FakeServer,
    socket: FakeSocket,
    keeper: Arc<MemoryKeeper>,
    login: Arc<MemoryKeeper>,
    clock: ManualClock,
}

impl Side {
    async fn start() -> Self {
        let (server, socket) = (FakeServer::start().await, FakeSocket::start().await);
        let clock = ManualClock::at(NOW);
        Self { server, socket, keeper: Arc::default(), login: Arc::default(), clock }
    }

    /// An account with a fixed token, in a hurry.
    fn bot(&self) -> Arc<Twitch> {
        self.bot_with(|config| config.token = Some(Secret::new("fixeds3cret")))
    }

    /// The same, by web hook.
    fn hooked(&self) -> Arc<Twitch> {
        self.bot_with(|config| {
            config.token = Some(Secret::new("fixeds3cret"));
            config.mode = Mode::Webhook;
            config.client_secret = Some(Secret::new("clients3cret"));
            config.webhook_secret = Some(Secret::new(SECRET));
        })
    }

    fn setup(&self) -> Setup {
        let mut setup = Setup::new(account());
        setup.keeper = Arc::clone(&self.keeper) as Arc<dyn Keeper>;
        setup.login = Arc::clone(&self.login) as Arc<dyn Keeper>;
        setup.public_url = Some("https://gate.example.org".to_owned());
        setup.world.clock = self.clock.world().clock;
        setup
    }

    fn config(&self) -> Config {
        let mut config = Config::new("client5".to_owned());
        config.api_base = format!("{}/helix", self.server.base());
        config.auth_base = format!("{}/oauth2", self.server.base());
        config.socket_url = self.socket.url("/ws");
        config
    }

    fn bot_with(&self, change: impl FnOnce(&mut Config)) -> Arc<Twitch> {
        let mut config = self.config();
        change(&mut config);
        let mut bot = Twitch::open(self.setup(), config).ok().unwrap();
        bot.pace = Pace { retry: (NO_WAIT, NO_WAIT), login: NO_WAIT, whisper: NO_WAIT };
        Arc::new(bot)
    }

    /// Says whose token it is.
    async fn validate(&self, token: &str) {
        let call = self.server.call().await;
        assert_eq!(call.line, "GET /oauth2/validate");
        assert_eq!(call.header("authorization"), Some(&*format!("OAuth {token}")));
        call.json_answer(200, valid()).await;
    }

    /// The next connection, welcomed.
    async fn welcome(&self, session: &str) -> FakePeer {
        let mut peer = self.socket.accept().await;
        let welcome = json!({ "session": {
            "id": session, "status": "connected", "connected_at": STAMP,
            "keepalive_timeout_seconds": 30, "reconnect_url": null,
        } });
        peer.say(&word("session_welcome", "w", &welcome)).await;
        peer
    }

    /// Takes a subscription.
    async fn subscribe(&self, session: &str) {
        let call = self.server.call().await;
        assert_eq!(call.line, "POST /helix/eventsub/subscriptions");
        assert_eq!(call.header("authorization"), Some("Bearer fixeds3cret"));
        assert_eq!(call.header("client-id"), Some("client5"));
        let expected = json!({
            "type": "user.whisper.message", "version": "1", "condition": { "user_id": OWN },
            "transport": { "method": "websocket", "session_id": session },
        });
        assert_eq!(call.json(), expected);
        call.json_answer(202, json!({ "data": [listed("sub-1", "enabled", "")] })).await;
    }

    /// A connection that brings whispers.
    async fn begin(&self) -> FakePeer {
        self.validate("fixeds3cret").await;
        let peer = self.welcome("s1").await;
        assert_eq!(peer.path, "/ws?keepalive_timeout_seconds=30");
        self.subscribe("s1").await;
        peer
    }
}

/// An account that runs.
struct Running {
    bot: Arc<Twitch>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Twitch>, room: usize) -> Running {
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

    async fn ready(&self) {
        self.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
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

    /// Why it gave up.
    async fn refusal(self) -> String {
        let reason = self.ended.await.unwrap().unwrap_err().to_string();
        assert!(!reason.contains("s3cret"), "{reason}");
        reason
    }
}

fn account() -> AccountKey {
    AccountKey::parse("twitch", "default").unwrap()
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

fn valid() -> Value {
    json!({
        "client_id": "client5", "login": "quotrok", "scopes": ["user:manage:whispers"], "user_id": OWN,
        "expires_in": 5_520_838,
    })
}

/// What EventSub says over a WebSocket.
fn word(kind: &str, id: &str, payload: &Value) -> String {
    let metadata = json!({
        "message_id": id, "message_type": kind, "message_timestamp": STAMP,
        "subscription_type": "user.whisper.message", "subscription_version": "1",
    });
    json!({ "metadata": metadata, "payload": payload }).to_string()
}

fn listed(id: &str, status: &str, callback: &str) -> Value {
    json!({
        "id": id, "status": status, "type": "user.whisper.message", "version": "1", "cost": 0,
        "condition": { "user_id": OWN }, "transport": { "method": "webhook", "callback": callback },
        "created_at": STAMP,
    })
}

/// A person's whisper.
fn whisper(id: &str, text: &str) -> Value {
    json!({
        "subscription": listed("sub-1", "enabled", "https://gate.example.org/webhooks/twitch/default"),
        "event": {
            "from_user_id": "423374343", "from_user_login": "glowillig", "from_user_name": "Glowillig",
            "to_user_id": OWN, "to_user_login": "quotrok", "to_user_name": "quotrok",
            "whisper_id": id, "whisper": { "text": text },
        },
    })
}

/// The same, over a WebSocket.
fn said(id: &str, text: &str) -> String {
    word("notification", id, &whisper(id, text))
}

async fn refuse(call: Call, status: u16, message: &str) {
    call.json_answer(status, json!({ "error": "No", "status": status, "message": message })).await;
}
