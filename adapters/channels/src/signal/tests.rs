//! The adapter against its fixtures and against a daemon in the test's hands.

mod errors;
mod events;
mod login;
mod parse;

use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use super::*;
use crate::fake_server::{Call, FakeServer};
use crate::kept::{Keeper, MemoryKeeper};

const OWN: &str = "+33999999999";
const ANN: &str = "5bdc5d0b-0b3e-4c4e-8c4c-0d8d6e1d2f10";

fn account() -> AccountKey {
    AccountKey::parse("signal", "default").unwrap()
}

fn own() -> SenderId {
    SenderId::parse(account().channel(), OWN).unwrap()
}

fn adapter(server: &FakeServer) -> Arc<Signal> {
    kept(server, Arc::new(MemoryKeeper::default()))
}

/// An adapter in a hurry, that remembers what was kept.
fn kept(server: &FakeServer, keeper: Arc<dyn Keeper>) -> Arc<Signal> {
    let config = Config { api_base: server.base(), ..Config::new(OWN.to_owned()) };
    let mut signal = Signal::open(Setup { keeper, ..Setup::new(account()) }, config).ok().unwrap();
    signal.pace.retry = (Duration::from_millis(1), Duration::from_millis(1));
    signal.pace.login = Duration::from_millis(1);
    Arc::new(signal)
}

struct Running {
    signal: Arc<Signal>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
    _stop: DropGuard,
}

fn run(signal: &Arc<Signal>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(signal), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    let _stop = shutdown.clone().drop_guard();
    Running { signal: Arc::clone(signal), messages, shutdown, ended, _stop }
}

/// A line of events that the adapter listens to.
struct Events(Call);

impl Events {
    /// The next one: the daemon has the account, answers the check, and begins its events.
    async fn listened(server: &FakeServer) -> Self {
        let mut events = Self::asked_for(server).await;
        events.begin().await;
        events
    }

    /// As the daemon does, nothing is said until there is something to say.
    async fn asked_for(server: &FakeServer) -> Self {
        let mut events = None;
        let mut is_checked = false;
        while events.is_none() || !is_checked {
            let call = server.call().await;
            match call.line.as_str() {
                "POST /api/v1/rpc" => answer(call, json!([{ "number": OWN }])).await,
                "GET /api/v1/check" => {
                    call.answer(200, "").await;
                    is_checked = true;
                }
                "GET /api/v1/events?account=%2B33999999999" => events = Some(Self(call)),
                other => panic!("{other}"),
            }
        }
        events.unwrap()
    }

    async fn begin(&mut self) {
        self.0.say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").await;
    }

    async fn tell(&mut self, envelope: &Value) {
        let event = json!({ "account": OWN, "envelope": envelope });
        self.tell_raw(&format!("event:receive\ndata:{event}\n\n")).await;
    }

    async fn tell_raw(&mut self, event: &str) {
        self.0.say(event).await;
    }
}

/// Answers a call of the daemon's.
async fn answer(call: Call, result: Value) {
    let id = call.json()["id"].clone();
    call.json_answer(200, json!({ "jsonrpc": "2.0", "result": result, "id": id })).await;
}

async fn refuse(call: Call, error: Value) {
    let id = call.json()["id"].clone();
    call.json_answer(200, json!({ "jsonrpc": "2.0", "error": error, "id": id })).await;
}

/// Ann's message, sent at this moment.
fn hello(timestamp: i64) -> Value {
    json!({
        "source": "+33123456789",
        "sourceNumber": "+33123456789",
        "sourceUuid": ANN,
        "sourceName": "Ann",
        "sourceDevice": 1,
        "timestamp": timestamp,
        "serverReceivedTimestamp": timestamp + 1,
        "dataMessage": { "timestamp": timestamp, "message": format!("hello {timestamp}"), "expiresInSeconds": 0 },
    })
}

/// Sends a text in a task of its own.
fn send(signal: &Arc<Signal>, route: &str) -> JoinHandle<Result<(), SendError>> {
    let (signal, route) = (Arc::clone(signal), ReplyRoute::new(route));
    let text =
        OutboundText { body: "hello".to_owned(), kind: TextKind::Reply, idempotency_key: "k1".to_owned() };
    tokio::spawn(async move { signal.send_text(&route, &text).await })
}

fn ann() -> String {
    format!("uuid:{ANN}")
}
