//! What is read from updates, by long poll and by web hook.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::fake_server::Call;
use crate::recorded;
use crate::zalo::update;

const SECRET: &str = "hook_s3cret";

fn table() -> Table {
    // A text longer than Zalo's longest.
    let text = include_str!("../../../tests/conformance/zalo.json");
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
            let request = http::Request::post("/webhooks/zalo/default");
            let request = match given.get("secret") {
                None => request.header("X-Bot-Api-Secret-Token", SECRET),
                Some(Value::String(secret)) => request.header("X-Bot-Api-Secret-Token", secret),
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
    marks: u32,
}

impl Polled {
    /// The next poll; what a bot asks before it polls is answered.
    async fn poll(&mut self) -> Call {
        if let Some(poll) = self.poll.take() {
            return poll;
        }
        loop {
            let call = self.server.call().await;
            match call.method() {
                "getUpdates" => return call,
                "getMe" => call.json_answer(200, ok(json!({}))).await,
                "getWebhookInfo" => call.json_answer(200, ok(json!({ "url": "" }))).await,
                other => panic!("{other}"),
            }
        }
    }
}

#[async_trait]
impl Feed for Polled {
    async fn send(&mut self, given: &Value) {
        let body = raw(given).unwrap_or_else(|| ok(&given["update"]).to_string());
        self.poll().await.answer(200, body).await;
    }

    async fn mark(&mut self, text: &str) {
        self.marks += 1;
        let mut mark = hello(1_000 + self.marks);
        mark["message"]["text"] = json!(text);
        self.send(&json!({ "update": mark })).await;
    }

    async fn attend(&mut self) {
        let poll = self.poll().await;
        self.poll = Some(poll);
        std::future::pending::<()>().await;
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
    for (name, payload) in recorded::payloads("zalo-bot-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let message = update::parse(&account(), "1459232241454765289", &file["payload"]).unwrap();
        assert_eq!((message.conversation, message.origin), (Conversation::Direct, Origin::Person), "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
    }
}
