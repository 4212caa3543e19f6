//! What is read from events, commands and buttons, by web hook and by socket.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::hook::signed;
use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/slack.json");
    // A text longer than Slack's longest, and an id.
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)).replace("$ID", &"U".repeat(300)))
}

/// What of a case may be longer than a table should be.
fn raw(given: &Value) -> Option<String> {
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    given["raw"].as_str().map(|raw| format!("{raw}{}", " ".repeat(blanks)))
}

/// Answers what the bot of a web hook asks.
fn serve(fake: Fake) {
    tokio::spawn(async move {
        loop {
            let call = fake.calls.call().await;
            fake.answer(call).await;
        }
    });
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let open = async |case: &Case| {
        let fake = Fake::start().await;
        let bot = match case.setup["team"].as_str() {
            None => fake.hooked(),
            Some(team) => {
                let mut bot = Arc::into_inner(fake.hooked()).unwrap();
                let known: Identity = serde_json::from_value(identity(team)).unwrap();
                bot.identity = OnceLock::from(known);
                Arc::new(bot)
            }
        };
        serve(fake);
        let request = |given: &Value| {
            let (form, body) = match (given.get("command"), given.get("interaction")) {
                (Some(command), _) => (true, form(command)),
                (_, Some(payload)) => (true, form(&json!({ "payload": payload.to_string() }))),
                _ => (false, raw(given).unwrap_or_else(|| envelope(given).to_string())),
            };
            let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
            signed(given, kind, &body)
        };
        Subject::hook(bot, request).hiding(BOT_TOKEN).hiding(SECRET)
    };
    check(&table(), "webhook", open).await;
}

/// A form of these fields.
fn form(fields: &Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (key, value) in fields.as_object().unwrap() {
        form.append_pair(key, value.as_str().unwrap());
    }
    form.finish()
}

/// A Slack that takes the bot back whenever it comes.
struct Wire {
    fake: Fake,
    peer: Option<FakePeer>,
    sent: usize,
}

impl Wire {
    async fn say(&mut self, frame: &str) {
        if self.peer.is_none() {
            self.peer = Some(self.fake.accept().await);
        }
        // The bot hangs up on what is too long.
        self.peer.as_mut().unwrap().say(frame).await;
    }
}

#[async_trait]
impl Feed for Wire {
    async fn send(&mut self, given: &Value) {
        self.sent += 1;
        let id = format!("envelope {}", self.sent);
        let frame = match (given.get("command"), given.get("interaction"), raw(given)) {
            (Some(command), ..) => frame(&id, "slash_commands", command),
            (_, Some(payload), _) => frame(&id, "interactive", payload),
            (.., Some(raw)) => raw,
            _ => event_frame(&id, given),
        };
        self.say(&frame).await;
    }

    async fn mark(&mut self, text: &str) {
        self.sent += 1;
        let mut mark = hello(900_000 + self.sent);
        mark["event"]["text"] = json!(text);
        let frame = event_frame(&format!("mark {}", self.sent), &mark);
        self.say(&frame).await;
    }

    async fn attend(&mut self) {
        loop {
            let peer = self.peer.as_mut().unwrap();
            tokio::select! {
                call = self.fake.calls.call() => self.fake.answer(call).await,
                _ = peer.closing() => break,
            }
        }
        self.peer = Some(self.fake.accept().await);
    }
}

#[tokio::test]
async fn i14_i15_i16_sockets_conform() {
    let open = async |case: &Case| {
        let fake = Fake::start().await;
        let bot = fake.bot(|_| {});
        if let Some(team) = case.setup["team"].as_str() {
            assert!(bot.identity.set(serde_json::from_value(identity(team)).unwrap()).is_ok());
        }
        Subject::stream(bot, Wire { fake, peer: None, sent: 0 })
            .hiding(BOT_TOKEN)
            .hiding(APP_TOKEN)
            .hiding("t1cket")
    };
    check(&table(), "socket", open).await;
}

#[test]
fn recorded_direct_messages_are_of_people() {
    for (name, text) in recorded::payloads("slack-") {
        let file: Value = serde_json::from_str(&text).unwrap();
        let payload = file.get("payload").unwrap_or(&file["envelope"]["payload"]);
        let given = &payload["authorizations"][0];
        let identity =
            serde_json::from_value(json!({ "team_id": given["team_id"], "user_id": given["user_id"] }))
                .unwrap();
        let account = account();
        let reading = event::Reading { account: &account, identity: &identity };
        let said = reading.event(payload).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert_eq!(said.message.conversation, Conversation::Direct, "{name}");
        assert_eq!(said.message.origin, Origin::Person, "{name}");
        assert!(said.message.event.acts() && !said.message.text.is_empty(), "{name}");
        assert_eq!(said.message.sender.primary().as_str(), payload["event"]["user"], "{name}");
        assert_eq!(said.way.unwrap().route.to, payload["event"]["channel"], "{name}");
    }
}
