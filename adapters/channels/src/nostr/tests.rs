//! The adapter against its fixtures and against relays that misbehave.

mod parse;
mod receive;
mod send;

use ::nostr::nips::nip59::GiftWrapSealBuilder;
use ::nostr::nips::{nip04, nip44};
use ::nostr::prelude::*;
use dmgate::testing::ManualClock;
use dmgate::{AccountKey, InboundMessage, TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::fake_server::NO_WAIT;
use crate::fake_socket::{FakePeer, FakeSocket};
use crate::kept::{Keeper, MemoryKeeper};
use crate::secret::Secret;

/// The time in all tests, in seconds.
const NOW: u64 = 1_767_224_901;

fn account() -> AccountKey {
    AccountKey::parse("nostr", "default").unwrap()
}

/// Keys by name.
fn keys(name: &str) -> Keys {
    let number = match name {
        "bot" => 1,
        "ann" => 2,
        "bob" => 3,
        "mallory" => 4,
        other => panic!("nobody is called {other}"),
    };
    Keys::new(SecretKey::from_slice(&[number; 32]).unwrap())
}

fn key(name: &str) -> String {
    keys(name).public_key().to_hex()
}

/// A bot at these relays, in a hurry.
fn bot(relays: &[String], keeper: &Arc<MemoryKeeper>, change: impl FnOnce(&mut Config)) -> Arc<Nostr> {
    let secret = keys("bot").secret_key().to_secret_hex();
    let mut config = Config::new(Secret::new(secret), relays.to_vec());
    config.announce = false;
    change(&mut config);
    let mut setup = Setup::new(account());
    setup.world = ManualClock::at(i64::try_from(NOW).unwrap() * 1_000).world();
    setup.keeper = Arc::clone(keeper) as Arc<dyn Keeper>;
    let mut bot = Nostr::open(setup, &config).ok().unwrap();
    bot.pace.retry = (NO_WAIT, NO_WAIT);
    Arc::new(bot)
}

/// An event as the table describes it: who writes what to whom, and what is wrong with it.
fn made(given: &Value) -> Value {
    let text = |name: &str, otherwise: &str| given[name].as_str().unwrap_or(otherwise).to_owned();
    let from = keys(&text("from", "ann"));
    let to = given["to"].as_array().cloned().unwrap_or_else(|| vec![json!("bot")]);
    let to = to.iter().map(|name| Tag::public_key(keys(name.as_str().unwrap()).public_key()));
    let more = given["tags"].as_array().cloned().unwrap_or_default();
    let more =
        more.into_iter().map(|tag| Tag::parse(serde_json::from_value::<Vec<String>>(tag).unwrap()).unwrap());
    let tags: Vec<Tag> = to.chain(more).collect();
    let at = Timestamp::from_secs(given["at"].as_u64().unwrap_or(NOW));
    let (kind, said) = (given["kind"].as_u64().unwrap_or(14), text("text", "hello"));
    let us = keys("bot").public_key();
    let mut event = if kind == 4 {
        let secret = nip04::encrypt(from.secret_key(), &us, said).unwrap();
        let secret = given["secret"].as_str().map_or(secret, str::to_owned);
        let event = EventBuilder::new(Kind::EncryptedDirectMessage, secret).tags(tags);
        event.custom_created_at(at).finalize(&from).unwrap()
    } else {
        let rumor = EventBuilder::new(Kind::from(u16::try_from(kind).unwrap()), said).tags(tags);
        let mut rumor = rumor.custom_created_at(at).finalize_unsigned(from.public_key());
        if given["id"].is_string() {
            rumor.id = Some(EventId::from_hex(&text("id", "")).unwrap());
        }
        let sealer = keys(&text("sealed_by", &text("from", "ann")));
        let receiver = keys(&text("sealed_for", "bot")).public_key();
        let seal = GiftWrapSealBuilder::new(rumor, receiver).finalize(&sealer).unwrap();
        wrapped(&broken(given, "seal", json!(seal)).to_string())
    };
    if let Some(kind) = given["wrap_kind"].as_u64() {
        event.kind = Kind::from(u16::try_from(kind).unwrap());
    }
    broken(given, "event", json!(event))
}

/// A seal in a wrap of a key of one time.
fn wrapped(seal: &str) -> Event {
    let (once, us) = (Keys::generate(), keys("bot").public_key());
    let secret = nip44::encrypt(once.secret_key(), &us, seal, nip44::Version::default()).unwrap();
    let wrap = EventBuilder::new(Kind::GiftWrap, secret).tag(Tag::public_key(us));
    wrap.custom_created_at(Timestamp::from_secs(NOW - 100_000)).finalize(&once).unwrap()
}

/// The event with what `given` says is wrong with this layer.
fn broken(given: &Value, layer: &str, mut event: Value) -> Value {
    let flipped = |hex: &Value| {
        let hex = hex.as_str().unwrap();
        let (head, last) = hex.split_at(hex.len() - 1);
        json!(format!("{head}{}", if last == "0" { "1" } else { "0" }))
    };
    match given[layer].as_str() {
        None => {}
        Some("another signature") => event["sig"] = flipped(&event["sig"]),
        Some("no signature") => drop(event.as_object_mut().unwrap().remove("sig")),
        Some("empty signature") => event["sig"] = json!("0".repeat(128)),
        Some("another id") => event["id"] = flipped(&event["id"]),
        Some("another time") => event["created_at"] = json!(event["created_at"].as_u64().unwrap() + 1),
        Some("another key") => event["pubkey"] = json!(key("bob")),
        Some("another content") => {
            event["content"] = json!(format!("{}A", event["content"].as_str().unwrap()));
        }
        Some("no key") => drop(event.as_object_mut().unwrap().remove("pubkey")),
        Some("no point") => event["pubkey"] = json!("f".repeat(64)),
        Some(other) => panic!("{other}?"),
    }
    event
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

/// A bot that runs.
struct Running {
    bot: Arc<Nostr>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(bot: &Arc<Nostr>, room: usize) -> Running {
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

    /// Nobody takes messages any more.
    async fn end_at_once(self) {
        self.shutdown.cancel();
        drop(self.messages);
        self.ended.await.unwrap().unwrap();
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

/// A relay has an event for us.
async fn give(peer: &mut FakePeer, event: &Value) {
    peer.say(&json!(["EVENT", "dmgate", event]).to_string()).await;
}

/// The next connection, and what it asks for.
async fn asked(relay: &FakeSocket) -> (FakePeer, Value) {
    let mut peer = relay.accept().await;
    let question = peer.json().await;
    (peer, question)
}
