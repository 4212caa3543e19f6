//! The adapter against its fixtures, and against a Slack in the tests' hands.

mod errors;
mod fetch;
mod hook;
mod life;
mod parse;

use dmgate::testing::ManualClock;
use dmgate::{AccountKey, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::fake_server::{Call, FakeServer, NO_WAIT};
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::secret::Secret;

const BOT_TOKEN: &str = "xoxb-b0t-t0ken";
const APP_TOKEN: &str = "xapp-4pp-t0ken";
const SECRET: &str = "s1gning-s3cret";

/// Now, in seconds.
const NOW: i64 = 1_771_442_490;

fn account() -> AccountKey {
    AccountKey::parse("slack", "default").unwrap()
}

fn identity(team: &str) -> Value {
    json!({ "ok": true, "team_id": team, "user_id": "U01BOT", "bot_id": "B01BOT" })
}

/// Slack: its calls and its sockets.
struct Fake {
    calls: FakeServer,
    sockets: FakeSocket,
}

impl Fake {
    async fn start() -> Self {
        Self { calls: FakeServer::start().await, sockets: FakeSocket::start().await }
    }

    /// A bot of its own, in a hurry.
    fn bot(&self, change: impl FnOnce(&mut Config)) -> Arc<Slack> {
        let mut config = Config::new(Secret::new(BOT_TOKEN), Secret::new(APP_TOKEN));
        config.api_base = self.calls.base();
        change(&mut config);
        let mut setup = Setup::new(account());
        setup.world.clock = ManualClock::at(NOW * 1_000).world().clock;
        let mut bot = Slack::open(setup, config).ok().unwrap();
        bot.retry = (NO_WAIT, NO_WAIT);
        let sockets = self.sockets.url("").replace("ws:", "http:");
        bot.hosts = Hosts::new(HOSTS, [self.calls.base().as_str(), &sockets]);
        Arc::new(bot)
    }

    /// A bot whose web hook is called.
    fn hooked(&self) -> Arc<Slack> {
        let bot = self.bot(|config| {
            config.mode = Mode::Webhook;
            config.signing_secret = Some(Secret::new(SECRET));
        });
        let identity = serde_json::from_value(identity("T01HOME")).unwrap();
        assert!(bot.identity.set(identity).is_ok());
        bot
    }

    /// Answers a call as Slack does where all is well.
    async fn answer(&self, call: Call) {
        let answer = match call.method() {
            "auth.test" => identity("T01HOME"),
            "apps.connections.open" => json!({ "ok": true, "url": self.sockets.url("/link?ticket=t1cket") }),
            "conversations.info" => conversation(&call),
            method => panic!("{method} is called"),
        };
        call.json_answer(200, answer).await;
    }

    /// The next socket of the bot's, with what it asks before, and a hello.
    async fn accept(&self) -> FakePeer {
        loop {
            tokio::select! {
                call = self.calls.call() => self.answer(call).await,
                mut peer = self.sockets.accept() => {
                    peer.say(r#"{"type":"hello","num_connections":1,"connection_info":{"app_id":"A01"}}"#).await;
                    return peer;
                }
            }
        }
    }
}

/// What Slack says of a conversation to our bot, which is part of Ann's and of one of several.
fn conversation(call: &Call) -> Value {
    assert_eq!(call.header("authorization"), Some("Bearer xoxb-b0t-t0ken"));
    let channel =
        |id, is_im| json!({ "ok": true, "channel": { "id": id, "is_im": is_im, "user": "U07ANN" } });
    match &call.body[..] {
        b"channel=D01ANN" => channel("D01ANN", true),
        b"channel=D02CREW" => channel("D02CREW", false),
        _ => json!({ "ok": false, "error": "channel_not_found" }),
    }
}

/// A bot that runs.
struct Running {
    bot: Arc<Slack>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Slack>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

/// An envelope of the Events API, with what a case gives.
fn envelope(given: &Value) -> Value {
    let mut envelope = json!({
        "type": "event_callback",
        "token": "verification",
        "team_id": "T01HOME",
        "api_app_id": "A01",
        "event_id": "Ev01",
        "event_time": NOW,
        "authorizations": [{ "enterprise_id": null, "team_id": "T01HOME", "user_id": "U01BOT", "is_bot": true }],
        "is_ext_shared_channel": false,
        "event": given["event"],
    });
    for (key, value) in given["envelope"].as_object().into_iter().flatten() {
        envelope[key] = value.clone();
    }
    envelope
}

/// Ann writes to the bot.
fn hello(number: usize) -> Value {
    let event = json!({
        "type": "message", "channel_type": "im", "channel": "D01ANN", "user": "U07ANN", "team": "T01HOME",
        "text": format!("hello {number}"), "ts": format!("{NOW}.{number:06}"),
    });
    json!({ "event": event, "envelope": { "event_id": format!("Ev{number}") } })
}

/// Something that comes over a socket.
fn frame(id: &str, kind: &str, payload: &Value) -> String {
    let frame =
        json!({ "envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": false });
    frame.to_string()
}

/// An event that comes over a socket.
fn event_frame(id: &str, given: &Value) -> String {
    frame(id, "events_api", &envelope(given))
}
