//! What is read from updates.

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::recorded;

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let text = include_str!("../../../tests/conformance/whatsapp.json");
    let table = Table::parse(&text.replace("$LONG", &"x".repeat(100_000)));
    let server = FakeServer::start().await;
    let open = async |_: &Case| {
        let request = |given: &Value| {
            let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
            let body = match given["raw"].as_str() {
                Some(raw) => format!("{raw}{}", " ".repeat(blanks)),
                None => given["update"].to_string(),
            };
            let mut request = call(body);
            if let Some(instead) = given["instead"].as_str() {
                *request.body_mut() = instead.to_owned().into();
            }
            match given.get("signature") {
                None => {}
                Some(Value::String(other)) => {
                    request.headers_mut().insert("x-hub-signature-256", other.parse().unwrap());
                }
                Some(_) => drop(request.headers_mut().remove("x-hub-signature-256")),
            }
            request
        };
        Subject::hook(whatsapp(&server), request).hiding(TOKEN).hiding(APP_SECRET).hiding(VERIFY)
    };
    check(&table, "webhook", open).await;
}

#[test]
fn recorded_messages_are_direct_messages_of_people_and_statuses_are_receipts() {
    for (name, payload) in recorded::payloads("whatsapp-cloud-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let number = file["payload"].pointer("/entry/0/changes/0/value/metadata/phone_number_id").unwrap();
        let body = file["payload"].to_string();
        let update = update::parse(&account(), number.as_str().unwrap(), body.as_bytes()).unwrap();
        let message = &update.messages[0];
        assert_eq!(update.messages.len(), 1, "{name}");
        if name.contains("status") {
            assert_eq!(message.event, dmgate::EventKind::Receipt, "{name}");
            continue;
        }
        assert_eq!(message.conversation, dmgate::Conversation::Direct, "{name}");
        assert!(message.event.acts() && !message.text.is_empty() && message.sent_at.is_some(), "{name}");
        assert!(!message.route.as_str().is_empty(), "{name}");
    }
}

#[test]
fn a_message_that_is_malformed_spoils_no_other() {
    let mut batch = update_of([written(1, "one"), json!({ "from": 5 }), json!("x"), written(2, "two")]);
    let entry = batch["entry"][0].clone();
    batch["entry"].as_array_mut().unwrap().extend([json!({ "changes": [{ "field": "messages" }] }), entry]);
    let update = update::parse(&account(), NUMBER, batch.to_string().as_bytes()).unwrap();
    let texts: Vec<&str> = update.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["one", "two", "one", "two"]);
}

#[test]
fn what_did_not_arrive_is_told_without_tricks() {
    let mut update = update_of(json!([]));
    update["entry"][0]["changes"][0]["value"]["statuses"] = json!([{
        "id": "wamid.X", "status": "failed", "timestamp": "1767225600", "recipient_id": "16505551234",
        "errors": [{ "code": 131047, "title": "Re-engagement\u{1b}message", "error_data": { "details": "24 hours" } }],
    }]);
    let update = update::parse(&account(), NUMBER, update.to_string().as_bytes()).unwrap();
    assert_eq!(update.failures, ["131047: Re-engagement\\u{1b}message; 24 hours"]);
}
