//! What is read from events.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::mattermost::post::{Event, Reading};
use crate::recorded;

/// A server that lets the bot in whenever it comes.
struct Wire {
    fake: Fake,
    peer: Option<FakePeer>,
    seq: i64,
    marks: i64,
}

impl Wire {
    async fn welcome(&mut self) {
        self.peer = Some(self.fake.welcome().await);
        self.seq = 0;
    }

    async fn say(&mut self, frame: &str) {
        if self.peer.is_none() {
            self.welcome().await;
        }
        self.peer.as_mut().unwrap().say(frame).await;
    }
}

#[async_trait]
impl Feed for Wire {
    async fn send(&mut self, given: &Value) {
        let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
        if let Some(raw) = given["raw"].as_str() {
            return self.say(&format!("{raw}{}", " ".repeat(blanks))).await;
        }
        if self.peer.is_none() {
            self.welcome().await;
        }
        let mut data = given.get("data").cloned().unwrap_or_default();
        for name in ["post", "reaction"] {
            if let Some(value) = given.get(name) {
                // It is JSON in a text.
                data[name] = json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
        self.seq += 1;
        let event = json!({ "event": given["event"], "data": data, "broadcast": {}, "seq": self.seq });
        self.say(&event.to_string()).await;
    }

    async fn mark(&mut self, text: &str) {
        self.marks += 1;
        let mut mark = post(900_000 + self.marks);
        mark["message"] = json!(text);
        self.seq += 1;
        let frame = posted(self.seq, &mark);
        self.say(&frame).await;
    }

    async fn attend(&mut self) {
        self.peer.as_mut().unwrap().closing().await;
        self.welcome().await;
    }
}

#[tokio::test]
async fn i14_i15_i16_events_conform() {
    let text =
        include_str!("../../../tests/conformance/mattermost.json").replace("$LONG", &"x".repeat(100_000));
    let open = async |_: &Case| {
        let fake = Fake::start().await;
        let bot = fake.bot();
        Subject::stream(bot, Wire { fake, peer: None, seq: 0, marks: 0 }).hiding(TOKEN)
    };
    check(&Table::parse(&text), "socket", open).await;
}

#[test]
fn recorded_posts_are_direct_messages_of_people() {
    for (name, text) in recorded::payloads("mattermost-") {
        let file: Value = serde_json::from_str(&text).unwrap();
        let event: Event = serde_json::from_value(file["payload"].clone()).unwrap();
        let account = account();
        let (post, place, from) = event.posted().unwrap();
        let id = post.id.clone();
        let message = Reading { account: &account, own_id: OWN }.post(post, place, from).unwrap();
        assert_eq!(message.conversation, Conversation::Direct, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(
            (message.sender.primary().as_str(), message.sender.name()),
            (ANN, Some("rgabriel")),
            "{name}"
        );
        assert_eq!((message.route.as_str(), message.message_id), (CHANNEL_ID, Some(id)), "{name}");
    }
}
