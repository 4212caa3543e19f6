//! What is read from calls.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::recorded;

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let text = include_str!("../../../tests/conformance/nextcloud-talk.json");
    let table = Table::parse(&text.replace("$LONG", &"x".repeat(100_000)));
    let open = async |case: &Case| {
        let server = Arc::new(FakeServer::start().await);
        tokio::spawn(tell_rooms(Arc::clone(&server)));
        let talk = talk(&server, |config| {
            if case.setup["login"] == false {
                config.login = None;
            }
        });
        let next = AtomicUsize::new(1);
        let request = move |given: &Value| {
            let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
            let body = match given["raw"].as_str() {
                Some(raw) => format!("{raw}{}", " ".repeat(blanks)),
                None => given["event"].to_string(),
            };
            let fresh = random(next.fetch_add(1, Ordering::SeqCst));
            let mut request = call(given["random"].as_str().unwrap_or(&fresh), body);
            if let Some(instead) = given["instead"].as_str() {
                *request.body_mut() = instead.to_owned().into();
            }
            for (name, value) in given["headers"].as_object().into_iter().flatten() {
                let name = http::HeaderName::try_from(name).unwrap();
                request.headers_mut().remove(&name);
                if let Some(value) = value.as_str() {
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
            }
            request
        };
        Subject::hook(talk, request).hiding(SECRET).hiding(PASSWORD)
    };
    check(&table, "webhook", open).await;
}

#[tokio::test]
async fn recorded_messages_are_messages_of_people() {
    for (name, payload) in recorded::payloads("nextcloud-talk-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let event =
            event::parse(&account(), "assistant", file["payload"].to_string().as_bytes()).ok().unwrap();
        assert!(event.message.event.acts() && !event.message.text.is_empty(), "{name}");
        assert_eq!(event.message.origin, dmgate::Origin::Person, "{name}");
        assert!(event.room.is_some_and(|room| super::super::send::is_token(&room)), "{name}");
    }
}

/// Signatures that others made.
#[tokio::test]
async fn i14_recorded_signatures_are_right() {
    for (name, payload) in recorded::payloads("signature-vectors") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let vector = &file["nextcloud-talk"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let server = FakeServer::start().await;
        let talk = talk(&server, |config| {
            config.bot_secret = Secret::new(text(&vector["secret"]));
            config.backend = Some(text(&vector["headers"]["x-nextcloud-talk-backend"]));
            config.login = None;
        });
        let mut request = http::Request::post("/");
        for (name, value) in vector["headers"].as_object().unwrap() {
            request = request.header(name, text(value));
        }
        let request = request.body(text(&vector["body"]).into()).unwrap();
        assert_eq!(give(&talk, request).await.1.len(), 1, "{name}");

        let sent = &vector["outbound"];
        let random = text(&sent["headers"]["X-Nextcloud-Talk-Bot-Random"]);
        let message = text(&sent["message"]);
        let own = Signature::hmac(&talk.secret, &[random.as_bytes(), message.as_bytes()]);
        assert_eq!(own.to_hex(), text(&sent["headers"]["X-Nextcloud-Talk-Bot-Signature"]), "{name}");
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    let mut written = written("direct1", 1, "hi");
    written["object"]["content"] = json!("{\"message\":5}");
    for garbage in [
        json!(null),
        json!([]),
        json!({ "type": "Create" }),
        json!({ "type": "Create", "actor": {}, "object": {} }),
        json!({ "type": "Create", "actor": { "id": "ada" }, "object": { "type": "Note" } }),
        json!({ "type": "Create", "actor": { "id": "users/" }, "object": { "type": "Note" } }),
        json!({ "type": 5, "actor": { "id": "users/ada" }, "object": { "type": "Note" } }),
        written,
    ] {
        assert!(event::parse(&account(), "x", garbage.to_string().as_bytes()).is_err(), "{garbage}");
    }
}
