//! What is read from events, by each way in which an app is called.

use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/googlechat.json");
    let text = text.replace("$TOKEN", &KEY.token(&Way::AddOn.claims()));
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// What a case gives, as a request: with the token that it names, or a right one.
fn to_request(way: Way, given: &Value) -> http::Request<Bytes> {
    let mut claims = way.claims();
    for (name, value) in given["claims"].as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    // What a case sets to null is left out.
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let key = if given["key"] == "other" { &OTHER } else { &KEY };
    let mut header = json!({ "alg": "RS256", "kid": key.id(), "typ": "JWT" });
    for (name, value) in given["header"].as_object().into_iter().flatten() {
        header[name] = value.clone();
    }
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    let body = match given["raw"].as_str() {
        Some(raw) => format!("{raw}{}", " ".repeat(blanks)),
        None => given["event"].to_string(),
    };
    let request = http::Request::post("/webhooks/googlechat/default");
    let request = match given.get("token") {
        None => request.header("authorization", format!("Bearer {}", key.token_with(&header, &claims))),
        Some(Value::String(token)) => request.header("authorization", token),
        Some(_) => request,
    };
    request.body(body.into()).unwrap()
}

async fn conforms(by: &str, way: Way) {
    let server = FakeServer::start().await;
    let secret = ACCOUNT.private_key().lines().nth(3).unwrap();
    let open = async |_: &Case| {
        Subject::hook(ready(&server, way).await, move |given| to_request(way, given)).hiding(secret)
    };
    check(&table(), by, open).await;
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_of_an_add_on_conforms() {
    conforms("add-on", Way::AddOn).await;
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_for_a_project_conforms() {
    conforms("project", Way::Project).await;
}

#[test]
fn recorded_events_are_direct_messages_of_people_or_of_spaces() {
    for (name, payload) in recorded::payloads("googlechat-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let message = event::parse(&account(), &file["payload"]).ok().unwrap().message;
        let is_dm = name.contains("-dm");
        assert_eq!(message.conversation == Conversation::Direct, is_dm, "{name}");
        assert_eq!(message.conversation == Conversation::Group, !is_dm, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty() && message.sent_at.is_some(), "{name}");
        assert_eq!(message.route.as_str().starts_with("spaces/"), is_dm, "{name}");
        assert_eq!(message.sender.primary().as_str(), "users/100000000000000000001", "{name}");
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    for garbage in [
        json!({ "type": "MESSAGE" }),
        json!({ "type": "MESSAGE", "user": 5 }),
        json!({ "type": "MESSAGE", "user": { "name": "users/1" }, "message": "hello" }),
        json!({ "chat": { "user": { "name": "users/1" }, "messagePayload": 5 } }),
        json!({ "chat": { "user": { "name": "users/1" }, "messagePayload": { "message": { "attachment": {} } } } }),
        json!({ "chat": { "messagePayload": {} } }),
        json!({ "chat": null, "type": "MESSAGE" }),
    ] {
        assert!(event::parse(&account(), &garbage).is_err(), "{garbage}");
    }
}
