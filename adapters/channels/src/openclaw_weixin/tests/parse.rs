//! What is read from the server's messages.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    // A text longer than WeChat's longest.
    let text = include_str!("../../../tests/conformance/openclaw-weixin.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// The server, which holds each poll until there is something to say.
struct Polled {
    server: FakeServer,
    poll: Option<Call>,
    number: u64,
}

impl Polled {
    async fn poll(&mut self) -> Call {
        if let Some(poll) = self.poll.take() {
            return poll;
        }
        loop {
            let call = self.server.call().await;
            if call.method() == "getupdates" {
                return call;
            }
            call.json_answer(200, json!({ "ret": 0 })).await;
        }
    }
}

#[async_trait]
impl Feed for Polled {
    async fn send(&mut self, given: &Value) {
        let poll = self.poll().await;
        self.number += 1;
        let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
        let body = match given["raw"].as_str() {
            Some(raw) => format!("{raw}{}", " ".repeat(blanks)),
            // Numbers of 64 bits stay what they are.
            None => batch(&format!("cursor {}", self.number), &[given["message"].clone()]).to_string(),
        };
        poll.answer(200, body).await;
    }

    async fn mark(&mut self, text: &str) {
        let mut mark = hello(1_000_000 + self.number);
        mark["item_list"][0]["text_item"]["text"] = json!(text);
        self.send(&json!({ "message": mark })).await;
    }

    async fn attend(&mut self) {
        loop {
            self.poll = Some(self.poll().await);
        }
    }
}

#[tokio::test]
async fn i14_i15_i16_the_long_poll_conforms() {
    let open = async |_: &Case| {
        let server = FakeServer::start().await;
        let bot = bot(&server, logged_in(&server).await, |_| {});
        Subject::stream(bot, Polled { server, poll: None, number: 0 }).hiding(TOKEN).hiding("ctx-s3cret")
    };
    check(&table(), "poll", open).await;
}

#[test]
fn recorded_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("openclaw-weixin-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let messages = file["payload"]["msgs"].as_array().unwrap();
        assert!(!messages.is_empty(), "{name}");
        for message in messages {
            let parsed = update::parse(&account(), message["to_user_id"].as_str(), message).unwrap();
            assert_eq!(
                (parsed.conversation, parsed.origin),
                (Conversation::Direct, Origin::Person),
                "{name}"
            );
            assert!(parsed.event.acts() && !parsed.text.is_empty(), "{name}");
            assert_eq!(
                parsed.message_id,
                Some(message["message_id"].to_string()),
                "{name}: not a digit is lost"
            );
            assert!(update::context_token(message).is_some(), "{name}");
        }
    }
}

#[test]
fn a_number_of_64_bits_is_itself() {
    let id = |text: &str| update::id(&serde_json::from_str(text).unwrap());
    assert_eq!(id(r#"{"message_id":18446744073709551615}"#).as_deref(), Some("18446744073709551615"));
    assert_eq!(id(r#"{"message_id":9007199254740993}"#).as_deref(), Some("9007199254740993"));
    assert_eq!(id(r#"{"message_id":"7423918273645182734"}"#).as_deref(), Some("7423918273645182734"));
    assert_eq!(id(r#"{"message_id":0,"item_list":[{},{"msg_id":"77"}]}"#).as_deref(), Some("77"));
    for none in [
        "{}",
        r#"{"message_id":-1}"#,
        r#"{"message_id":1.5}"#,
        r#"{"message_id":1e3}"#,
        r#"{"message_id":""}"#,
        r#"{"message_id":"a b"}"#,
        r#"{"message_id":[]}"#,
    ] {
        assert_eq!(id(none), None, "{none}");
    }
    assert_eq!(update::id(&json!({ "message_id": "7".repeat(65) })), None);
}

#[test]
fn a_token_that_could_burst_what_is_kept_is_none() {
    let token = |text: &str| update::context_token(&json!({ "context_token": text })).map(str::to_owned);
    assert_eq!(token("AARzJW+/=.-_").as_deref(), Some("AARzJW+/=.-_"));
    for wrong in ["", "a b", "a\"b", "a\\b", "ä", "\n", &"x".repeat(1_501)] {
        assert_eq!(token(wrong), None, "{wrong}");
    }
    assert!(token(&"x".repeat(1_500)).is_some());
}
