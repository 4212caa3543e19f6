//! What is read from updates, by long poll and by web hook.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::fake_server::Call;
use crate::recorded;

const SECRET: &str = "hook_s3cret";

fn table() -> Table {
    // A text longer than Telegram's longest.
    let text = include_str!("../../../tests/conformance/telegram.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// The body of what a case gives, as it is.
fn raw(given: &Value) -> Option<String> {
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    given["raw"].as_str().map(|raw| format!("{raw}{}", " ".repeat(blanks)))
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let server = FakeServer::start().await;
    let open = async |_: &Case| {
        let bot = bot(&server, |config| {
            config.mode = Mode::Webhook;
            config.webhook_secret = Some(Secret::new(SECRET));
        });
        let request = |given: &Value| {
            let body = raw(given).unwrap_or_else(|| given["update"].to_string());
            let request = http::Request::post("/webhooks/telegram/default");
            let request = match given.get("secret") {
                None => request.header("X-Telegram-Bot-Api-Secret-Token", SECRET),
                Some(Value::String(secret)) => request.header("X-Telegram-Bot-Api-Secret-Token", secret),
                Some(_) => request,
            };
            request.body(body.into()).unwrap()
        };
        Subject::hook(bot, request).hiding("t0ken-of_the_bot").hiding(SECRET)
    };
    check(&table(), "webhook", open).await;
}

/// The Bot API, which holds each poll until there is something to say.
struct Polled {
    server: FakeServer,
    poll: Option<Call>,
    marks: i64,
}

#[async_trait]
impl Feed for Polled {
    async fn send(&mut self, given: &Value) {
        let poll = match self.poll.take() {
            Some(poll) => poll,
            None => self.server.call().await,
        };
        let body = raw(given).unwrap_or_else(|| ok([&given["update"]]).to_string());
        poll.answer(200, body).await;
    }

    async fn mark(&mut self, text: &str) {
        self.marks += 1;
        let mut mark = hello(1_000 + self.marks);
        mark["message"]["text"] = json!(text);
        self.send(&json!({ "update": mark })).await;
    }

    async fn attend(&mut self) {
        loop {
            let poll = self.server.call().await;
            assert_eq!(poll.method(), "getUpdates");
            if poll.json()["offset"].is_i64() && poll.json()["timeout"] == 0 {
                // At its end the adapter confirms what it has.
                poll.json_answer(200, ok(json!([]))).await;
            } else {
                self.poll = Some(poll);
            }
        }
    }
}

#[tokio::test]
async fn i14_i15_i16_the_long_poll_conforms() {
    let open = async |_: &Case| {
        let server = FakeServer::start().await;
        let bot = bot(&server, |_| {});
        Subject::stream(bot, Polled { server, poll: None, marks: 0 }).hiding("t0ken-of_the_bot")
    };
    check(&table(), "poll", open).await;
}

#[test]
fn recorded_private_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("telegram-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let payload = &file["payload"];
        let updates = payload["result"].as_array().cloned().unwrap_or_else(|| vec![payload.clone()]);
        assert!(!updates.is_empty(), "{name}");
        for update in &updates {
            let message = update::parse(&account(), 111, update).unwrap();
            assert_eq!(message.conversation, Conversation::Direct, "{name}");
            assert_eq!(message.origin, Origin::Person, "{name}");
            assert!(message.event.acts() && !message.text.is_empty(), "{name}");
            assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
        }
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    for garbage in [
        json!(null),
        json!([]),
        json!({ "message": {} }),
        json!({ "message": { "from": {} } }),
        json!({ "message": { "from": { "id": 1.5, "is_bot": false } } }),
        json!({ "message": { "from": { "id": u64::MAX, "is_bot": false } } }),
        json!({ "message": { "from": { "id": 1, "is_bot": "no" } } }),
        json!({ "message": { "from": { "id": 1, "is_bot": false }, "chat": { "id": 1 } } }),
        json!({ "message": { "from": { "id": 1, "is_bot": false }, "photo": [{}] } }),
    ] {
        assert!(update::parse(&account(), 111, &garbage).is_err(), "{garbage}");
    }
}
