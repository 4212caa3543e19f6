//! Bridges that do as they should, and bridges that do not.

mod errors;
mod life;
mod login;

use std::sync::Arc;

use async_trait::async_trait;
use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::conformance::Feed;
use crate::fake_program::{FakeProgram, FakeRun};
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::kept::{Keeper, MemoryKeeper};

pub(crate) const TOKEN: &str = "t0ken-of-the-bridge";

/// The bridge's end of a conversation.
pub(crate) enum Peer {
    Program(FakeRun),
    Socket(Box<FakePeer>),
}

/// A bridge, before anybody speaks with it.
pub(crate) enum Far {
    Program(FakeProgram),
    Socket(FakeSocket),
}

impl Far {
    pub(crate) async fn program() -> Self {
        Self::Program(FakeProgram::new().await)
    }

    pub(crate) async fn socket() -> Self {
        Self::Socket(FakeSocket::start().await)
    }

    /// What leads there.
    pub(crate) fn config(&self) -> Config {
        match self {
            Self::Program(program) => Config { command: Some(program.words()), ..Config::default() },
            Self::Socket(socket) => Config {
                url: Some(crate::Secret::new(socket.url("/bridge"))),
                token: Some(crate::Secret::new(TOKEN)),
                ..Config::default()
            },
        }
    }

    /// The next conversation, before hello.
    pub(crate) async fn begun(&self) -> Peer {
        match self {
            Self::Program(program) => Peer::Program(program.started().await),
            Self::Socket(socket) => {
                let peer = socket.accept().await;
                let token = format!("Bearer {TOKEN}");
                assert_eq!(peer.headers["authorization"].to_str().unwrap(), token);
                Peer::Socket(Box::new(peer))
            }
        }
    }

    /// The next conversation, after hello, on a platform that lets it in; with what it was greeted by.
    pub(crate) async fn greeted(&self) -> (Peer, Value) {
        let mut peer = self.begun().await;
        let hello = peer.asked("hello").await;
        peer.answer(&hello, json!({ "protocol": 1, "state": "ready" })).await;
        (peer, hello["params"].clone())
    }
}

impl Peer {
    /// What it is told next; `None` at the end. Given up, it loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let text = match self {
            Self::Program(run) => run.line().await?,
            Self::Socket(peer) => peer.text().await,
        };
        Some(serde_json::from_str(&text).unwrap())
    }

    /// The call of this method that it is told next.
    pub(crate) async fn asked(&mut self, method: &str) -> Value {
        let asked = self.next().await.unwrap();
        assert_eq!(asked["method"], method, "{asked}");
        asked
    }

    pub(crate) async fn say(&mut self, said: &Value) {
        self.say_text(&said.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        match self {
            Self::Program(run) => run.say(text).await,
            Self::Socket(peer) => peer.say(text).await,
        }
    }

    pub(crate) async fn answer(&mut self, asked: &Value, result: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result })).await;
    }

    pub(crate) async fn refuse(&mut self, asked: &Value, error: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error })).await;
    }

    /// Says that somebody wrote, and waits for no answer.
    pub(crate) async fn tell(&mut self, message: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "method": "message", "params": message })).await;
    }

    /// Says that somebody wrote; the answer has this id.
    pub(crate) async fn ask(&mut self, id: u64, message: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "message", "params": message })).await;
    }
}

/// A bridge that serves an adapter which is checked: `given` is a message, or `raw` what it says as it is.
pub(crate) struct Bridged {
    pub(crate) far: Far,
    pub(crate) peer: Option<Peer>,
    pub(crate) marks: u64,
    /// Somebody's id on the platform.
    who: &'static str,
}

impl Bridged {
    pub(crate) fn new(far: Far) -> Self {
        Self::of(far, "7001")
    }

    /// One to a platform where somebody has this id.
    pub(crate) fn of(far: Far, who: &'static str) -> Self {
        Self { far, peer: None, marks: 0, who }
    }

    async fn peer(&mut self) -> &mut Peer {
        if self.peer.is_none() {
            self.peer = Some(self.far.greeted().await.0);
        }
        self.peer.as_mut().unwrap()
    }
}

#[async_trait]
impl Feed for Bridged {
    async fn send(&mut self, given: &Value) {
        let peer = self.peer().await;
        match given["raw"].as_str() {
            Some(raw) => peer.say_text(raw).await,
            None => peer.tell(given["message"].clone()).await,
        }
    }

    async fn mark(&mut self, text: &str) {
        self.marks += 1;
        let mut mark = hello(&format!("mark-{}", self.marks));
        mark["text"] = json!(text);
        mark["from"]["id"] = json!(self.who);
        self.peer().await.tell(mark).await;
    }

    async fn attend(&mut self) {
        let is_socket = matches!(self.far, Far::Socket(_));
        match &mut self.peer {
            // A program that is ended is started again; a socket breaks off without a word.
            Some(Peer::Program(run)) => while run.line().await.is_some() {},
            _ if is_socket => {
                self.peer = Some(self.far.greeted().await.0);
                return;
            }
            _ => {}
        }
        self.peer = Some(self.far.greeted().await.0);
    }
}

/// Somebody's message.
pub(crate) fn hello(id: &str) -> Value {
    json!({
        "id": id,
        "chat": { "id": "7001", "kind": "direct" },
        "from": { "id": "7001", "name": "Ann" },
        "text": format!("hello {id}"),
    })
}

fn account() -> AccountKey {
    AccountKey::parse("zalouser", "default").unwrap()
}

/// An adapter in a hurry.
pub(crate) fn adapter(far: &Far) -> Arc<Bridge> {
    adapter_of("zalouser", far)
}

/// One for another channel.
pub(crate) fn adapter_of(channel: &str, far: &Far) -> Arc<Bridge> {
    in_a_hurry(Setup::new(AccountKey::parse(channel, "default").unwrap()), far)
}

/// One that remembers what was kept.
fn kept(far: &Far, keeper: Arc<dyn Keeper>) -> Arc<Bridge> {
    in_a_hurry(Setup { keeper, ..Setup::new(account()) }, far)
}

fn in_a_hurry(setup: Setup, far: &Far) -> Arc<Bridge> {
    let mut bridge = Bridge::open(setup, far.config(), 2_000).ok().unwrap();
    bridge.retry = (Duration::from_millis(1), Duration::from_millis(1));
    Arc::new(bridge)
}

struct Running {
    bridge: Arc<Bridge>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
    _stop: DropGuard,
}

fn run(bridge: &Arc<Bridge>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bridge), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    let _stop = shutdown.clone().drop_guard();
    Running { bridge: Arc::clone(bridge), messages, shutdown, ended, _stop }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "k1".to_owned() }
}

/// Sends a text in a task of its own.
fn send(bridge: &Arc<Bridge>, body: &str) -> JoinHandle<Result<(), SendError>> {
    let (bridge, text) = (Arc::clone(bridge), text(body));
    tokio::spawn(async move { bridge.send_text(&ReplyRoute::new("chat:7001"), &text).await })
}
