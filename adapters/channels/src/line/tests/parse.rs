//! What is read from calls.

use dmgate::{Conversation, EventKind, Origin};

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::line::event;
use crate::recorded;

fn table() -> Table {
    // A text longer than LINE's longest.
    let text = include_str!("../../../tests/conformance/line.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// What a case gives, signed as it says.
fn request(given: &Value) -> http::Request<Bytes> {
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    let body = match (given["raw"].as_str(), given["events"].as_array()) {
        (Some(raw), _) => format!("{raw}{}", " ".repeat(blanks)),
        (None, Some(events)) => call(events),
        (None, None) => call(&[given["event"].clone()]),
    };
    let request = http::Request::post("/webhooks/line/default");
    let signed = |signature: String| request.header("X-Line-Signature", signature);
    let right = signature(SECRET, &body);
    let request = match given.get("signature") {
        None => signed(right),
        Some(Value::Null) => http::Request::post("/webhooks/line/default"),
        Some(Value::String(signature)) => signed(signature.clone()),
        Some(how) => match (how["key"].as_str(), how["of"].as_str(), how["as"].as_str()) {
            (Some(key), ..) => signed(signature(key, &body)),
            (_, Some(other), _) => signed(signature(SECRET, other)),
            (.., Some("hex")) => signed(hex::encode(digest(SECRET, &body))),
            (.., Some("unpadded")) => signed(right.trim_end_matches('=').to_owned()),
            (.., Some("lower")) => signed(right.to_lowercase()),
            (.., Some("twice")) => signed(right.clone()).header("X-Line-Signature", right),
            (.., Some("changed")) => {
                return signed(right).body(body.replace("hello", "hallo").into()).unwrap();
            }
            how => panic!("{how:?}"),
        },
    };
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let server = FakeServer::start().await;
    let open = async |_: &Case| Subject::hook(line(&server), request).hiding(SECRET).hiding(TOKEN);
    check(&table(), "webhook", open).await;
}

#[test]
fn recorded_private_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("line-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let events = file["payload"]["events"].as_array().unwrap();
        assert!(!events.is_empty(), "{name}");
        for event in events {
            let message = event::parse(&account(), event).unwrap();
            assert_eq!(
                (message.conversation, message.event),
                (Conversation::Direct, EventKind::Message),
                "{name}"
            );
            assert!(message.origin == Origin::Person && !message.text.is_empty(), "{name}");
            assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
        }
    }
}

/// Signed by the platform's own library.
#[tokio::test]
async fn i14_recorded_signatures_are_right_on_their_bodies_only() {
    for (name, vectors) in recorded::payloads("signature-vectors") {
        let vectors: Value = serde_json::from_str(&vectors).unwrap();
        let vector = &vectors["line"];
        let (body, key) = (vector["body"].as_str().unwrap(), vector["secret"].as_str().unwrap());
        let config = Config::new(Secret::new(key), Secret::new(TOKEN));
        let line = Line::open(setup(), config).ok().unwrap();
        for (body, status) in [(format!("{body} "), 401), (body.to_owned(), 200)] {
            let request = http::Request::post("/")
                .header("x-line-signature", vector["headers"]["x-line-signature"].as_str().unwrap());
            let answer = line.webhook(request.body(body.into()).unwrap()).await.taken();
            assert_eq!(answer.response.status(), status, "{name}");
            assert_eq!(answer.messages.len(), usize::from(status == 200), "{name}");
        }
    }
}
