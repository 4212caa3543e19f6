//! What is read from events.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::super::envelope::Parts;
use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/signal.json");
    let text = text.replace("$LONG", &"x".repeat(300_000));
    Table::parse(&text.replace("$ENDLESS", &"x".repeat(3_000_000)))
}

/// The daemon, which sends what a case gives.
struct Sent {
    server: FakeServer,
    events: Option<Events>,
    stamp: i64,
}

impl Sent {
    async fn events(&mut self) -> &mut Events {
        if self.events.is_none() {
            self.events = Some(Events::listened(&self.server).await);
        }
        self.events.as_mut().unwrap()
    }
}

#[async_trait]
impl Feed for Sent {
    async fn send(&mut self, given: &Value) {
        let events = self.events().await;
        match (given["raw"].as_str(), given.get("event")) {
            (Some(raw), _) => events.tell_raw(&format!("event:receive\ndata:{raw}\n\n")).await,
            (_, Some(event)) => events.tell_raw(&format!("event:receive\ndata:{event}\n\n")).await,
            _ => events.tell(&given["envelope"]).await,
        }
    }

    async fn mark(&mut self, text: &str) {
        self.stamp += 1;
        let mut mark = hello(self.stamp);
        mark["dataMessage"]["message"] = json!(text);
        self.events().await.tell(&mark).await;
    }

    async fn attend(&mut self) {
        self.events = Some(Events::listened(&self.server).await);
    }
}

#[tokio::test]
async fn i14_i15_i16_the_daemons_events_conform() {
    let open = async |_: &Case| {
        let server = FakeServer::start().await;
        let signal = adapter(&server);
        Subject::stream(signal, Sent { server, events: None, stamp: 1_900_000_000_000 })
    };
    check(&table(), "socket", open).await;
}

#[test]
fn recorded_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("signal-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let parts = Parts::of(&file["payload"]).unwrap();
        assert_eq!(parts.account, Some(OWN), "{name}");
        let message = envelope::read(&account(), &own(), parts.envelope).unwrap();
        assert_eq!(message.conversation, Conversation::Direct, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
    }
}
