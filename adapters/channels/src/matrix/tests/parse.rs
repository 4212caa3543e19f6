//! What is read from polls.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::matrix::event::Found;
use crate::matrix::room::Members;
use crate::matrix::sync::Answer;
use crate::recorded;

#[async_trait]
impl Feed for Homeserver {
    async fn send(&mut self, given: &Value) {
        let poll = self.poll().await;
        if let Some(raw) = given["raw"].as_str() {
            return poll.answer(200, raw).await;
        }
        let room = given["room"].as_str().unwrap_or(DM);
        let answer = match given.get("sync") {
            Some(sync) => sync.clone(),
            None => in_room(room, std::slice::from_ref(&given["event"])),
        };
        self.answer(poll, answer).await;
    }

    async fn mark(&mut self, text: &str) {
        self.send(&json!({ "event": said(&format!("${text}"), text) })).await;
    }

    async fn attend(&mut self) {
        loop {
            if let Some(poll) = self.serve().await {
                self.poll = Some(poll);
            }
        }
    }
}

#[tokio::test]
async fn i14_i15_i16_polls_conform() {
    // No event is longer than this, and its longest text a little shorter.
    let table = include_str!("../../../tests/conformance/matrix.json").replace("$LONG", &"x".repeat(65_000));
    let open = async |_: &Case| {
        let homeserver = Homeserver::start().await;
        let bot = bot(&homeserver.server, &Arc::default(), |_| {});
        Subject::stream(bot, homeserver).hiding("t0ken")
    };
    check(&Table::parse(&table), "poll", open).await;
}

#[test]
fn recorded_polls_hold_an_invite_and_a_direct_message() {
    for (name, payload) in recorded::payloads("matrix-sync-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let sync = &file["payload"];
        assert!(serde_json::from_value::<Answer>(sync.clone()).is_ok(), "{name}");
        let (bot, ann) = ("@bot:dmgate.test", "@alice:dmgate.test");
        let rooms = |kind: &str| sync["rooms"][kind].as_object().cloned().unwrap_or_default();
        for (room, invited) in rooms("invite") {
            let events = invited["invite_state"]["events"].as_array().unwrap();
            let invite = invite::read(bot, &room, events).unwrap();
            assert_eq!((invite.room.as_str(), invite.inviter.as_str()), (room.as_str(), ann), "{name}");
        }
        for (room, joined) in rooms("join") {
            let events = joined["timeline"]["events"].as_array().unwrap();
            // Of each member the last word counts.
            let state: Vec<Value> =
                events.iter().filter(|event| event["unsigned"]["membership"] != "invite").cloned().collect();
            let members = Members::of(&state);
            let account = account();
            let found = Found {
                account: &account,
                own: bot,
                room: &room,
                direct_user: Some(ann),
                members: Some(&members),
            };
            let messages: Vec<_> = events.iter().map(|event| found.parse(event).unwrap()).collect();
            let said: Vec<_> = messages.iter().filter(|message| message.event.acts()).collect();
            assert_eq!(said.len(), 1, "{name}");
            assert_eq!((said[0].text.as_str(), said[0].origin), ("hello bot", Origin::Person), "{name}");
            assert_eq!(said[0].conversation, Conversation::Direct, "{name}");
            assert_eq!(said[0].route.as_str(), format!("{room} {ann}"), "{name}");
        }
    }
}
