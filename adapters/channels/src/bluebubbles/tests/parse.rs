//! What is read from calls.

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::recorded;

/// Answers what is asked about messages that came without their chats.
async fn complete_messages(server: Arc<FakeServer>) {
    loop {
        let call = server.call().await;
        match call.line.split(['/', '?']).nth(4) {
            Some("whole") => {
                let mut data = written("whole", "hello")["data"].clone();
                data["guid"] = json!("whole");
                call.json_answer(200, said(data)).await;
            }
            _ => call.json_answer(404, refusal(404, "Message does not exist!", json!(null))).await,
        }
    }
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let text = include_str!("../../../tests/conformance/bluebubbles.json");
    let table = Table::parse(&text.replace("$LONG", &"x".repeat(100_000)));
    let open = async |case: &Case| {
        let server = Arc::new(FakeServer::start().await);
        tokio::spawn(complete_messages(Arc::clone(&server)));
        let bubbles = bubbles(&server, |config| config.sms = case.setup["sms"] == true);
        let request = |given: &Value| {
            let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
            let body = match given["raw"].as_str() {
                Some(raw) => format!("{raw}{}", " ".repeat(blanks)),
                None => given["event"].to_string(),
            };
            let right = format!("?password={SECRET}");
            let mut request = call(given["query"].as_str().unwrap_or(&right), body);
            for (name, value) in given["headers"].as_object().into_iter().flatten() {
                let value = value.as_str().unwrap().replace("$SECRET", SECRET);
                let name = http::HeaderName::try_from(name).unwrap();
                request.headers_mut().append(name, value.parse().unwrap());
            }
            request
        };
        Subject::hook(bubbles, request).hiding(SECRET).hiding(PASSWORD).hiding(ENCODED)
    };
    check(&table, "webhook", open).await;
}

#[test]
fn recorded_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("bluebubbles-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let event = serde_json::from_value(file["payload"].clone()).unwrap();
        let message = event::parse(&account(), false, event).unwrap();
        assert_eq!(message.conversation, Conversation::Direct, "{name}");
        assert_eq!(message.origin, dmgate::Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert!(super::super::send::is_route(&account(), message.route.as_str()), "{name}");
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    for (key, garbage) in [
        ("handle", json!(null)),
        ("handle", json!("+15551234567")),
        ("handle", json!({})),
        ("handle", json!({ "address": 5 })),
        ("isFromMe", json!(null)),
        ("isFromMe", json!("no")),
        ("chats", json!({})),
        ("chats", json!([{}])),
        ("attachments", json!([{}])),
        ("text", json!(5)),
        ("dateCreated", json!("today")),
    ] {
        let mut event = written("g1", "hi");
        event["data"][key] = garbage.clone();
        let parsed = event::parse(&account(), true, serde_json::from_value(event).unwrap());
        assert!(parsed.is_err(), "{key}: {garbage}");
    }
}
