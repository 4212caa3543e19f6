//! What is read from events.

use std::collections::HashMap;

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::nostr::event::open;
use crate::recorded;

/// A relay that takes the adapter in, however often it comes.
struct OneRelay {
    relay: FakeSocket,
    peer: Option<FakePeer>,
    /// Events that are to be the same each time.
    made: HashMap<String, Value>,
}

impl OneRelay {
    async fn peer(&mut self) -> &mut FakePeer {
        if self.peer.is_none() {
            let (mut peer, question) = asked(&self.relay).await;
            assert_eq!(question[0], "REQ");
            peer.say(r#"["EOSE","dmgate"]"#).await;
            self.peer = Some(peer);
        }
        self.peer.as_mut().unwrap()
    }
}

#[async_trait]
impl Feed for OneRelay {
    async fn send(&mut self, given: &Value) {
        if let Some(raw) = given["raw"].as_str() {
            return self.peer().await.say(raw).await;
        }
        let event = match given["same"].as_str() {
            Some(name) => self.made.entry(name.to_owned()).or_insert_with(|| made(given)).clone(),
            None => made(given),
        };
        give(self.peer().await, &event).await;
    }

    async fn mark(&mut self, text: &str) {
        let event = made(&json!({ "kind": 4, "text": text }));
        give(self.peer().await, &event).await;
    }

    async fn attend(&mut self) {
        self.peer().await.closing().await;
        self.peer = None;
        self.peer().await;
    }
}

#[tokio::test]
async fn i14_i15_i16_events_conform() {
    let table = include_str!("../../../tests/conformance/nostr.json");
    let names = ["bot", "ann", "bob", "mallory"];
    let table = names.iter().fold(table.to_owned(), |table, name| {
        table.replace(&format!("${}", name.to_uppercase()), &key(name))
    });
    let table = table.replace("$LONGEST", &"x".repeat(40_000)).replace("$LONG", &"x".repeat(300_000));
    let table = table.replace("$ENDLESS", &"x".repeat(5_000_000));
    let secret = keys("bot").secret_key().to_secret_hex();
    let open = async |_: &Case| {
        let relay = FakeSocket::start().await;
        let bot = bot(&[relay.url("")], &Arc::default(), |_| {});
        Subject::stream(bot, OneRelay { relay, peer: None, made: HashMap::new() }).hiding(secret.clone())
    };
    check(&Table::parse(&table), "socket", open).await;
}

#[test]
fn recorded_events_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("nostr-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let keys = Keys::parse(file["bot_secret_hex"].as_str().unwrap()).unwrap();
        let ann = Keys::parse(file["alice_secret_hex"].as_str().unwrap()).unwrap();
        let event: Event = serde_json::from_value(file["relay_frame"][2].clone()).unwrap();
        let message = open(&account(), &keys, &event).ok().unwrap().message;
        let expected = file["expected_plaintext"].as_str().or(file["expected_rumor"]["content"].as_str());
        assert_eq!(Some(message.text.as_str()), expected, "{name}");
        assert_eq!(message.sender.primary().as_str(), ann.public_key().to_hex(), "{name}");
        assert_eq!((message.conversation, message.origin), (Conversation::Direct, Origin::Person), "{name}");
        if let Some(id) = file["expected_rumor"]["id"].as_str() {
            assert_eq!(message.message_id.as_deref(), Some(id), "{name}");
        }
        assert!(
            open(&account(), &ann, &event).is_err() || event.kind != Kind::GiftWrap,
            "{name}: it is not for them"
        );
    }
}

#[test]
fn i14_a_byte_changed_anywhere_in_an_event_proves_nothing() {
    for kind in [4, 14] {
        let event = made(&json!({ "kind": kind }));
        assert!(open(&account(), &keys("bot"), &serde_json::from_value(event.clone()).unwrap()).is_ok());
        for layer in ["another signature", "another id", "another time", "another key", "another content"] {
            let broken = made(&json!({ "kind": kind, "event": layer }));
            let event: Event = serde_json::from_value(broken).unwrap();
            assert!(open(&account(), &keys("bot"), &event).is_err(), "{kind}: {layer}");
        }
    }
    for layer in ["another signature", "another id", "another time", "another key", "another content"] {
        let event: Event = serde_json::from_value(made(&json!({ "seal": layer }))).unwrap();
        assert!(open(&account(), &keys("bot"), &event).is_err(), "the seal: {layer}");
    }
}
