//! What is read from events, over a WebSocket and by web hook.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::hook::signed;
use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/twitch.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// EventSub, and what is asked of the API meanwhile.
struct EventSub {
    side: Side,
    peer: Option<FakePeer>,
    marks: u32,
}

#[async_trait]
impl Feed for EventSub {
    async fn send(&mut self, given: &Value) {
        if self.peer.is_none() {
            self.peer = Some(self.side.begin().await);
        }
        let kind = given["kind"].as_str().unwrap_or("notification");
        let said = word(kind, given["id"].as_str().unwrap_or("m1"), &given["payload"]);
        let said = given["raw"].as_str().map_or(said, str::to_owned);
        self.peer.as_mut().unwrap().say(&said).await;
    }

    async fn mark(&mut self, text: &str) {
        self.marks += 1;
        let id = format!("mark-{}", self.marks);
        self.send(&json!({ "id": id, "payload": whisper(&id, text) })).await;
    }

    async fn attend(&mut self) {
        assert_eq!(self.peer.as_mut().unwrap().heard().await, None, "who says anything is hung up on");
        self.peer = Some(self.side.begin().await);
    }
}

#[tokio::test]
async fn i14_i15_i16_the_socket_conforms() {
    let open = async |_: &Case| {
        let side = Side::start().await;
        Subject::stream(side.bot(), EventSub { side, peer: None, marks: 0 }).hiding("fixeds3cret")
    };
    check(&table(), "socket", open).await;
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let open = async |_: &Case| {
        let side = Side::start().await;
        let bot = side.hooked();
        let (me, ()) = tokio::join!(bot.identify(), side.validate("fixeds3cret"));
        me.unwrap();
        Subject::hook(bot, signed).hiding(SECRET).hiding("clients3cret").hiding("fixeds3cret")
    };
    check(&table(), "webhook", open).await;
}

#[test]
fn recorded_whispers_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("twitch-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let payload = &file["payload"];
        let own = payload["event"]["to_user_id"].as_str().unwrap();
        let message = event::parse(&account(), own, payload, None).unwrap();
        assert_eq!(message.conversation, Conversation::Direct, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    let good = whisper("1", "hello");
    assert!(event::parse(&account(), OWN, &good, None).is_ok());
    for (field, garbage) in [
        ("from_user_id", Value::Null),
        ("from_user_id", json!(5)),
        ("from_user_id", json!("")),
        ("from_user_id", json!("glowillig")),
        ("to_user_id", Value::Null),
        ("whisper", json!("hello")),
        ("whisper", json!({ "text": 5 })),
    ] {
        let mut event = good.clone();
        event["event"][field] = garbage;
        assert!(event::parse(&account(), OWN, &event, None).is_err(), "{event}");
    }
    for garbage in
        [json!(null), json!([]), json!("x"), json!({}), json!({ "event": [] }), json!({ "event": null })]
    {
        assert!(event::parse(&account(), OWN, &garbage, None).is_err(), "{garbage}");
    }
}
