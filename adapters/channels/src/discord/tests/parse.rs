//! What is read from events of the gateway.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::discord::event::Event;
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/discord.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// Discord, with channels of these types that are to be asked for.
struct Gate {
    side: Side,
    peer: Option<FakePeer>,
    number: u64,
    types: Value,
}

impl Gate {
    async fn peer(&mut self) -> &mut FakePeer {
        if self.peer.is_none() {
            self.peer = Some(self.side.begin().await);
        }
        self.peer.as_mut().unwrap()
    }
}

#[async_trait]
impl Feed for Gate {
    async fn send(&mut self, given: &Value) {
        self.number += 1;
        let name = given["name"].as_str().unwrap_or("MESSAGE_CREATE");
        let event = dispatch(self.number, name, &given["event"]);
        let event = given["raw"].as_str().map_or(event, str::to_owned);
        self.peer().await.say(&event).await;
    }

    async fn mark(&mut self, text: &str) {
        let mark = hello(500 + self.number, text);
        self.send(&json!({ "event": mark })).await;
    }

    async fn attend(&mut self) {
        loop {
            let peer = self.peer.as_mut().unwrap();
            tokio::select! {
                call = self.side.server.call() => {
                    let channel = call.line.strip_prefix("GET /channels/").unwrap().to_owned();
                    match self.types.get(&channel) {
                        Some(kind) => call.json_answer(200, json!({ "id": channel, "type": kind })).await,
                        None => call.json_answer(404, json!({ "message": "Unknown Channel", "code": 10003 })).await,
                    }
                }
                word = peer.heard() => match word {
                    Some(_) => peer.say(r#"{"op":11}"#).await,
                    None => {
                        self.peer = Some(self.side.resume(self.number).await);
                        return;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn i14_i15_i16_the_gateway_conforms() {
    let open = async |case: &Case| {
        let side = Side::start().await;
        let bot = side.bot();
        let types = case.setup["types"].clone();
        Subject::stream(bot, Gate { side, peer: None, number: 1, types }).hiding("s3cret-of_the_bot")
    };
    check(&table(), "socket", open).await;
}

#[test]
fn i16_recorded_events_are_what_they_are() {
    for (name, payload) in recorded::payloads("discord-") {
        // The names that were put in the place of ids.
        let payload = payload
            .replace("DM_CHANNEL_123", "1457536551830421525")
            .replace("INTERACTION789", "1457536583141163187");
        let file: Value = serde_json::from_str(&payload).unwrap();
        let payload = &file["payload"];
        let (event, data) = match (payload["t"].as_str(), payload["type"].as_str()) {
            (Some(event), _) => (event, &payload["d"]),
            (None, Some(event)) => (event.trim_start_matches("GATEWAY_"), &payload["data"]),
            (None, None) => ("INTERACTION_CREATE", payload),
        };
        let message = Event::parse(&account(), 1_457_469_483_726_668_048, event, data).unwrap().message;
        let is_private = !name.contains("guild");
        assert_eq!(message.conversation == Conversation::Direct, is_private, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(message.sender.primary().as_str(), "1033044521375764530", "{name}");
        assert_eq!(message.route.as_str(), if is_private { "1457536551830421525" } else { "" }, "{name}");
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    let good = hello(1, "hello");
    assert!(Event::parse(&account(), 1, "MESSAGE_CREATE", &good).is_ok());
    for (field, garbage) in [
        ("id", json!(5)),
        ("id", json!("")),
        ("id", json!("-5")),
        ("id", Value::Null),
        ("channel_id", Value::Null),
        ("channel_id", json!("../1")),
        ("author", json!({})),
        ("author", json!({ "id": "x" })),
        ("author", json!({ "id": 1 })),
        ("author", json!({ "id": "1", "bot": "no" })),
        ("type", json!("0")),
        ("channel_type", json!(-1)),
        ("attachments", json!([{}])),
        ("attachments", json!({})),
    ] {
        let mut event = good.clone();
        event[field] = garbage;
        assert!(Event::parse(&account(), 1, "MESSAGE_CREATE", &event).is_err(), "{event}");
    }
    for garbage in [json!(null), json!([]), json!("x"), json!({})] {
        assert!(Event::parse(&account(), 1, "MESSAGE_CREATE", &garbage).is_err(), "{garbage}");
    }
}
