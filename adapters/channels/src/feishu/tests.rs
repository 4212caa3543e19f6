//! The adapter against its fixtures, and against a Feishu in the tests' hands.

mod errors;
mod fetch;
mod hook;
mod life;
mod parse;

use dmgate::testing::ManualClock;
use dmgate::{AccountKey, TextKind};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::frame::Frame;
use super::*;
use crate::fake_server::{Call, FakeServer, NO_WAIT};
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::secret::Secret;

const APP: &str = "cli_a1b2c3d4e5f60708";
const APP_SECRET: &str = "app-s3cret";
const KEY: &str = "encrypt-k3y";
const TOKEN: &str = "verification-t0ken";
const ANN: &str = "ou_84aad35d084aa403a838cf73ee18467";
const OWN: &str = "ou_0b0t0000000000000000000000000000";

/// Now, in milliseconds.
const NOW: i64 = 1_771_442_490_000;

fn account() -> AccountKey {
    AccountKey::parse("feishu", "default").unwrap()
}

fn setup() -> Setup {
    let mut setup = Setup::new(account());
    setup.world.clock = ManualClock::at(NOW).world().clock;
    setup
}

/// Feishu: its calls and its connections.
struct Fake {
    calls: FakeServer,
    sockets: FakeSocket,
}

impl Fake {
    async fn start() -> Self {
        Self { calls: FakeServer::start().await, sockets: FakeSocket::start().await }
    }

    /// An app of its own, in a hurry.
    fn bot(&self, setup: Setup, change: impl FnOnce(&mut Config)) -> Arc<Feishu> {
        let mut config = Config::new(APP, Secret::new(APP_SECRET));
        config.api_base = Some(self.calls.base());
        change(&mut config);
        let mut bot = Feishu::open(setup, config).ok().unwrap();
        bot.retry = (NO_WAIT, NO_WAIT);
        let sockets = self.sockets.url("").replace("ws:", "http:");
        bot.hosts = Hosts::new(HOSTS, [self.calls.base().as_str(), &sockets]);
        Arc::new(bot)
    }

    /// An app whose web hook is called.
    fn hooked(&self, change: impl FnOnce(&mut Config)) -> Arc<Feishu> {
        let bot = self.bot(setup(), |config| {
            config.mode = Mode::Webhook;
            config.encrypt_key = Some(Secret::new(KEY));
            change(config);
        });
        bot.own_id.set(OWN.to_owned()).unwrap();
        bot
    }

    /// Answers a call as Feishu does where all is well.
    async fn answer(&self, call: Call) {
        let answer = match call.method() {
            "internal" => json!({ "code": 0, "msg": "ok", "tenant_access_token": "t-0ken", "expire": 7_200 }),
            "info" => json!({ "code": 0, "msg": "ok", "bot": { "open_id": OWN, "app_name": "gate" } }),
            "endpoint" => self.endpoint(),
            method => panic!("{method} is called"),
        };
        call.json_answer(200, answer).await;
    }

    fn endpoint(&self) -> Value {
        let url = self.sockets.url("/ws/v2?device_id=1&ticket=t1cket&service_id=33554678");
        let settings = json!({ "PingInterval": 120, "ReconnectCount": -1, "ReconnectInterval": 120, "ReconnectNonce": 30 });
        json!({ "code": 0, "msg": "", "data": { "URL": url, "ClientConfig": settings } })
    }

    /// The next connection of the app's, with what it asks before, and its first sign of life.
    async fn accept(&self) -> FakePeer {
        loop {
            tokio::select! {
                call = self.calls.call() => self.answer(call).await,
                mut peer = self.sockets.accept() => {
                    assert_eq!(next_frame(&mut peer).await, Frame::ping(33_554_678));
                    return peer;
                }
            }
        }
    }
}

async fn next_frame(peer: &mut FakePeer) -> Frame {
    Frame::decode(&peer.bytes().await).unwrap()
}

/// The next answer: to which event, and what.
async fn answered(peer: &mut FakePeer) -> (String, String) {
    loop {
        let frame = next_frame(peer).await;
        if frame.is_data() {
            return (
                frame.header("message_id").unwrap().to_owned(),
                String::from_utf8(frame.payload).unwrap(),
            );
        }
    }
}

fn taken(id: &str) -> (String, String) {
    (id.to_owned(), r#"{"code":200}"#.to_owned())
}

/// An app that runs.
struct Running {
    bot: Arc<Feishu>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Feishu>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

/// Ann writes to the app.
fn hello(number: usize) -> Value {
    json!({
        "schema": "2.0",
        "header": {
            "event_id": format!("e{number}"), "event_type": "im.message.receive_v1", "token": TOKEN, "app_id": APP,
            "create_time": NOW.to_string(), "tenant_key": "t1",
        },
        "event": {
            "sender": {
                "sender_id": { "open_id": ANN, "union_id": "on_ann", "user_id": "ann" },
                "sender_type": "user", "tenant_key": "t1",
            },
            "message": {
                "message_id": format!("om_{number}"), "create_time": NOW.to_string(), "chat_id": "oc_1",
                "chat_type": "p2p", "message_type": "text",
                "content": json!({ "text": format!("hello {number}") }).to_string(),
            },
        },
    })
}

/// A frame that brings an event whole.
fn frame(id: &str, event: &Value) -> Vec<u8> {
    part(id, 1, 0, event.to_string().as_bytes())
}

fn part(id: &str, sum: usize, at: usize, payload: &[u8]) -> Vec<u8> {
    let (sum, at) = (sum.to_string(), at.to_string());
    let headers = [("type", "event"), ("message_id", id), ("sum", &sum), ("seq", &at), ("trace_id", "t")];
    Frame::data(&headers, payload).encode()
}
