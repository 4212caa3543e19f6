//! The adapter against its fixtures and against a homeserver that misbehaves.

mod errors;
mod fetch;
mod invites;
mod parse;
mod send;
mod sync;

use std::collections::BTreeMap;

use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::fake_server::{Call, FakeServer, NO_WAIT, read};
use crate::kept::{Keeper, MemoryKeeper};
use crate::secret::Secret;

const TOKEN: &str = "syt_t0ken";
const BOT: &str = "@bot:example.org";
const ANN: &str = "@ann:example.org";
const BOB: &str = "@bob:example.org";
const DM: &str = "!dm:example.org";

fn account() -> AccountKey {
    AccountKey::parse("matrix", "default").unwrap()
}

/// A bot of `server`'s, in a hurry.
fn bot(server: &FakeServer, keeper: &Arc<MemoryKeeper>, change: impl FnOnce(&mut Config)) -> Arc<Matrix> {
    let mut config = Config::new(server.base(), Secret::new(TOKEN));
    change(&mut config);
    let mut setup = Setup::new(account());
    setup.keeper = Arc::clone(keeper) as Arc<dyn Keeper>;
    let mut bot = Matrix::open(setup, config).ok().unwrap();
    bot.pace.join = NO_WAIT;
    bot.pace.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bot)
}

/// A homeserver: it answers everything by itself but polls.
struct Homeserver {
    server: FakeServer,
    /// What holds in which room; of others the bot may know nothing.
    rooms: BTreeMap<String, Value>,
    /// Our account data.
    direct: Value,
    /// Pages of what was said, by where they begin.
    pages: BTreeMap<String, Value>,
    /// What is refused, by how the path begins: status and answer.
    refusals: Vec<(String, u16, Value)>,
    /// What was asked.
    served: Vec<(String, Value)>,
    polls: u32,
    poll: Option<Call>,
}

fn member(user: &str, membership: &str) -> Value {
    json!({ "type": "m.room.member", "state_key": user, "content": { "membership": membership } })
}

fn members(joined: &[&str]) -> Value {
    joined.iter().map(|user| member(user, "join")).collect()
}

fn said(id: &str, text: &str) -> Value {
    json!({
        "type": "m.room.message", "sender": ANN, "event_id": id, "origin_server_ts": 1_767_224_901_000_i64,
        "content": { "msgtype": "m.text", "body": text },
    })
}

/// A poll's answer in which these are said in a room.
fn in_room(room: &str, events: &[Value]) -> Value {
    json!({ "rooms": { "join": { room: { "timeline": { "events": events } } } } })
}

fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned()
}

/// A parameter of a call's query.
fn parameter(call: &Call, name: &str) -> Option<String> {
    let query = call.line.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

impl Homeserver {
    async fn start() -> Self {
        let named = json!({
            "type": "m.room.member", "state_key": ANN, "content": { "membership": "join", "displayname": "Ann" },
        });
        let mut three = members(&[BOT, ANN]);
        three.as_array_mut().unwrap().push(member(BOB, "invite"));
        let mut secret = members(&[BOT, ANN]);
        let encryption = json!({ "type": "m.room.encryption", "state_key": "", "content": {} });
        secret.as_array_mut().unwrap().push(encryption);
        let rooms = [
            (DM, json!([member(BOT, "join"), named])),
            ("!_GPzIAvu9LFfiF8D-C2P9J40IvZwje5XZksgWJ-vQ1s", members(&[BOT, ANN])),
            ("!upper:example.org", members(&[BOT, "@Ann:example.org"])),
            ("!group:example.org", members(&[BOT, ANN, BOB])),
            ("!waits:example.org", three),
            ("!secret:example.org", secret),
            ("!other:example.org", members(&[BOT, ANN])),
        ];
        let rooms: BTreeMap<_, _> = rooms.into_iter().map(|(room, state)| (room.to_owned(), state)).collect();
        let direct: Vec<&String> =
            rooms.keys().filter(|room| !room.contains("other") && !room.contains("upper")).collect();
        let direct =
            json!({ ANN: direct, "@Ann:example.org": ["!upper:example.org"], BOB: ["!gone:example.org"] });
        Self {
            server: FakeServer::start().await,
            rooms,
            direct,
            pages: BTreeMap::new(),
            refusals: Vec::new(),
            served: Vec::new(),
            polls: 0,
            poll: None,
        }
    }

    /// The adapter's next poll; the first one of all has been answered.
    async fn poll(&mut self) -> Call {
        loop {
            let poll = match self.poll.take() {
                Some(poll) => Some(poll),
                None => self.serve().await,
            };
            match poll {
                Some(poll) if parameter(&poll, "since").is_some() => return poll,
                Some(poll) => self.answer(poll, json!({})).await,
                None => {}
            }
        }
    }

    /// Answers a poll.
    async fn answer(&mut self, poll: Call, mut answer: Value) {
        self.polls += 1;
        answer["next_batch"] = json!(format!("s{}", self.polls));
        poll.json_answer(200, answer).await;
    }

    /// Answers one call, or gives it back if it is a poll.
    async fn serve(&mut self) -> Option<Call> {
        let stream = self.server.accept().await;
        self.serve_on(stream).await
    }

    /// The same for a call on this connection; a poll is kept.
    async fn attend_to(&mut self, stream: TcpStream) {
        if let Some(poll) = self.serve_on(stream).await {
            self.poll = Some(poll);
        }
    }

    async fn serve_on(&mut self, stream: TcpStream) -> Option<Call> {
        let call = read(stream).await?;
        assert_eq!(call.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        let (method, path) = call.line.split_once(" /_matrix/client/v3/").unwrap();
        let plain = format!("{method} {}", decoded(path));
        if path.starts_with("sync?") {
            return Some(call);
        }
        let body = serde_json::from_slice(&call.body).unwrap_or_default();
        self.served.push((plain.clone(), body));
        if let Some(at) = self.refusals.iter().position(|(head, ..)| plain.starts_with(head)) {
            let (_, status, answer) = self.refusals.remove(at);
            call.json_answer(status, answer).await;
            return None;
        }
        let parts: Vec<String> = path.split(['/', '?']).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let forbidden = json!({ "errcode": "M_FORBIDDEN", "error": "not in the room" });
        let (status, answer) = match parts.as_slice() {
            ["account", "whoami"] => (200, json!({ "user_id": BOT })),
            ["user", BOT, "account_data", "m.direct"] if method == "GET" => (200, self.direct.clone()),
            ["user", BOT, "account_data", "m.direct"] => {
                self.direct = call.json();
                (200, json!({}))
            }
            ["rooms", room, "state"] => match self.rooms.get(*room) {
                Some(state) => (200, state.clone()),
                None => (403, forbidden),
            },
            ["rooms", room, "messages", ..] if self.rooms.contains_key(*room) => {
                let page = parameter(&call, "from").and_then(|from| self.pages.remove(&from));
                (200, page.unwrap_or_else(|| json!({ "chunk": [] })))
            }
            ["rooms", _, "send", ..] => (200, json!({ "event_id": "$sent" })),
            ["rooms", room, "join" | "leave"] => (200, json!({ "room_id": room })),
            ["rooms", _, "typing", _] => (200, json!({})),
            _ => (404, json!({ "errcode": "M_UNRECOGNIZED", "error": "unknown" })),
        };
        call.json_answer(status, answer).await;
        None
    }

    /// What was asked of a kind.
    fn asked(&self, what: &str) -> Vec<&str> {
        self.served.iter().map(|(line, _)| line.as_str()).filter(|line| line.contains(what)).collect()
    }
}

/// A bot that runs.
struct Running {
    bot: Arc<Matrix>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Matrix>, room: usize) -> Running {
    let (inbox, messages) = Inbox::collecting(room);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bot), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bot: Arc::clone(bot), messages, shutdown, ended }
}

impl Running {
    /// The next message; the homeserver works meanwhile.
    async fn message(&mut self, homeserver: &mut Homeserver) -> InboundMessage {
        loop {
            tokio::select! {
                message = self.messages.recv() => return message.unwrap(),
                stream = homeserver.server.accept() => homeserver.attend_to(stream).await,
            }
        }
    }

    /// The texts of the next messages.
    async fn texts(&mut self, homeserver: &mut Homeserver, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            texts.push(self.message(homeserver).await.text);
        }
        texts
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "k:1".to_owned() }
}

fn refused(word: &str, error: &str) -> Value {
    json!({ "errcode": word, "error": error })
}
