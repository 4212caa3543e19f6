//! The adapter against its fixtures and against an `imsg` in the test's hands.

mod errors;
mod life;
mod parse;

use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use super::*;
use crate::fake_program::{FakeProgram, FakeRun};
use crate::kept::{Keeper, MemoryKeeper};

/// When everything happens: 2026-01-01T00:00:00Z.
const NOW: &str = "2026-01-01T00:00:00.000Z";

fn account() -> AccountKey {
    AccountKey::parse("imessage", "default").unwrap()
}

fn adapter(program: &FakeProgram) -> Arc<Imessage> {
    with(program, Arc::new(MemoryKeeper::default()), |_| {})
}

/// An adapter in a hurry.
fn with(program: &FakeProgram, keeper: Arc<dyn Keeper>, change: impl FnOnce(&mut Config)) -> Arc<Imessage> {
    let mut config = Config { command: program.words(), ..Config::new() };
    change(&mut config);
    let now = dmgate::Timestamp::parse(NOW).unwrap();
    let clock = Arc::new(dmgate::testing::ManualClock::at(now.as_millis()));
    let setup = Setup { keeper, world: World { clock, ..World::default() }, ..Setup::new(account()) };
    let mut imessage = Imessage::open(setup, config).ok().unwrap();
    imessage.retry = (Duration::from_millis(1), Duration::from_millis(1));
    Arc::new(imessage)
}

/// A run of `imsg`, subscribed to.
struct Imsg {
    run: FakeRun,
    subscription: u64,
    /// The number of the last message that is old, as it was told.
    since: Option<i64>,
}

impl Imsg {
    /// The next run, up to its subscription.
    async fn watched(program: &FakeProgram) -> Self {
        let mut imsg = Self { run: program.started().await, subscription: 0, since: None };
        let asked = imsg.asked("watch.subscribe").await;
        imsg.subscribed(&asked).await;
        imsg
    }

    async fn subscribed(&mut self, asked: &Value) {
        assert_eq!(asked["params"]["attachments"], true);
        self.subscription += 1;
        self.since = asked["params"]["since_rowid"].as_i64();
        self.answer(asked, json!({ "subscription": self.subscription })).await;
    }

    async fn asked(&mut self, method: &str) -> Value {
        let asked = self.run.json().await;
        assert_eq!(asked["method"], method, "{asked}");
        asked
    }

    async fn answer(&mut self, asked: &Value, result: Value) {
        self.run.say(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string()).await;
    }

    async fn refuse(&mut self, asked: &Value, error: Value) {
        self.run.say(&json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string()).await;
    }

    async fn tell(&mut self, message: &Value) {
        let params = json!({ "subscription": self.subscription, "message": message });
        self.run.say(&json!({ "jsonrpc": "2.0", "method": "message", "params": params }).to_string()).await;
    }
}

/// Ann's message of this number.
fn hello(rowid: i64) -> Value {
    json!({
        "id": rowid,
        "chat_id": 42,
        "chat_guid": "iMessage;-;+4917012345678",
        "chat_identifier": "+4917012345678",
        "participants": ["+4917012345678"],
        "is_group": false,
        "guid": format!("G-{rowid}"),
        "sender": "+4917012345678",
        "is_from_me": false,
        "text": format!("hello {rowid}"),
        "created_at": NOW,
        "attachments": [],
    })
}

struct Running {
    imessage: Arc<Imessage>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
    _stop: DropGuard,
}

fn run(imessage: &Arc<Imessage>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(imessage), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    let _stop = shutdown.clone().drop_guard();
    Running { imessage: Arc::clone(imessage), messages, shutdown, ended, _stop }
}

/// Sends a text in a task of its own.
fn send(imessage: &Arc<Imessage>, route: &str) -> JoinHandle<Result<(), SendError>> {
    let (imessage, route) = (Arc::clone(imessage), ReplyRoute::new(route));
    let text =
        OutboundText { body: "hello".to_owned(), kind: TextKind::Reply, idempotency_key: "k1".to_owned() };
    tokio::spawn(async move { imessage.send_text(&route, &text).await })
}
