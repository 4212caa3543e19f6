//! What is read from activities.

use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::hosts::Hosts;
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/msteams.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

/// What a case gives, as a request: with the token that it names, or a right one.
fn to_request(given: &Value) -> http::Request<Bytes> {
    let mut claims = claims();
    for (name, value) in given["claims"].as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    // What a case sets to null is left out.
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let key = match given["key"].as_str() {
        Some("other") => &OTHER,
        Some("unendorsed") => &UNENDORSED,
        _ => &KEY,
    };
    let mut header = json!({ "alg": "RS256", "kid": key.id(), "x5t": key.id(), "typ": "JWT" });
    for (name, value) in given["header"].as_object().into_iter().flatten() {
        header[name] = value.clone();
    }
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    let body = match given["raw"].as_str() {
        Some(raw) => format!("{raw}{}", " ".repeat(blanks)),
        None => given["activity"].to_string(),
    };
    let request = http::Request::post("/webhooks/msteams/default");
    let request = match given.get("token") {
        None => request.header("authorization", format!("Bearer {}", key.token_with(&header, &claims))),
        Some(Value::String(token)) => request.header("authorization", token),
        Some(_) => request,
    };
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let server = FakeServer::start().await;
    let open = async |_: &Case| Subject::hook(ready(&server).await, to_request).hiding(PASSWORD);
    check(&table(), "webhook", open).await;
}

#[test]
fn recorded_activities_are_direct_messages_of_people_or_of_channels() {
    let services = Hosts::new(&["smba.trafficmanager.net"], ["http://localhost:56150"]);
    for (name, payload) in recorded::payloads("msteams-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let activity = &file["payload"];
        let tenant = activity["conversation"]["tenantId"].as_str().unwrap().to_owned();
        let own = activity::Own { app_id: APP_ID.to_owned(), tenant };
        let message = activity::parse(&account(), &own, &services, activity).unwrap();
        let is_dm = name.contains("-dm");
        assert_eq!(message.conversation == Conversation::Direct, is_dm, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty() && message.sent_at.is_some(), "{name}");
        assert_eq!(message.route.as_str().is_empty(), !is_dm, "{name}");
        let object = activity["from"]["aadObjectId"].as_str().unwrap();
        assert_eq!(message.sender.primary().as_str(), object, "{name}");
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    let own = activity::Own { app_id: APP_ID.to_owned(), tenant: TENANT.to_owned() };
    let services = Hosts::new(&["smba.trafficmanager.net"], []);
    for garbage in [
        json!(null),
        json!([]),
        json!({ "type": 5 }),
        json!({ "type": "message", "serviceUrl": SERVICE, "from": {} }),
        json!({ "type": "message", "serviceUrl": SERVICE, "from": { "id": "29:a" }, "conversation": {} }),
        json!({ "type": "message", "serviceUrl": SERVICE, "from": { "id": "29:a" }, "attachments": [{}] }),
        json!({ "type": "message", "serviceUrl": SERVICE, "from": { "id": "29:a", "role": 5 } }),
    ] {
        assert!(activity::parse(&account(), &own, &services, &garbage).is_err(), "{garbage}");
    }
}
