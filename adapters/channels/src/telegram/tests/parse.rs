//! What is read from updates.

use dmgate::{Authenticity, Conversation, Origin, Strength};

use super::*;
use crate::fixtures;

#[test]
fn i14_i15_i16_updates_are_read_as_the_fixtures_say() {
    let fixtures: Value = serde_json::from_str(&fixtures::read("telegram.json")).unwrap();
    let own_id = fixtures["own_id"].as_i64().unwrap();
    let cases = fixtures["cases"].as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let message = update::parse(&account(), own_id, &case["update"]).ok();
        fixtures::compare(case, message.as_ref());
        if let Some(message) = message {
            assert_eq!(message.authenticity, Authenticity::Verified);
            assert_eq!(message.sender.strength(), Strength::Authenticated);
            assert!(message.sender.aliases().is_empty(), "names are no ids");
        }
    }
}

#[test]
fn recorded_private_messages_are_direct_messages_of_people() {
    for (name, payload) in fixtures::extra("telegram-") {
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
