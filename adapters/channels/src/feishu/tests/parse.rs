//! What is read from events, by connection and by web hook.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::hook::{Body, request};
use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/feishu.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(100_000)))
}

fn raw(given: &Value) -> Option<String> {
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    given["raw"].as_str().map(|raw| format!("{raw}{}", " ".repeat(blanks)))
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let fake = Fake::start().await;
    let open = async |case: &Case| {
        let bot = fake.hooked(|config| {
            if case.setup == "token" || case.setup == "both" {
                config.verification_token = Some(Secret::new(TOKEN));
            }
            if case.setup == "token" {
                config.encrypt_key = None;
            }
        });
        let is_plain = case.setup == "token";
        let to_request = move |given: &Value| {
            let body = raw(given).unwrap_or_else(|| given["event"].to_string());
            let body = match given["body"].as_str() {
                Some("plain") => Body::Plain(body),
                Some(key) => Body::Encrypted(body, key.to_owned()),
                None if is_plain => Body::Plain(body),
                None if given["raw"].is_string() => Body::Plain(body),
                None => Body::Encrypted(body, KEY.to_owned()),
            };
            request(body, &given["sign"], is_plain)
        };
        Subject::hook(bot, to_request).hiding(APP_SECRET).hiding(KEY).hiding(TOKEN)
    };
    check(&table(), "webhook", open).await;
}

/// Feishu's end of the connection.
struct Connected {
    fake: Fake,
    peer: Option<FakePeer>,
    number: usize,
}

impl Connected {
    async fn peer(&mut self) -> &mut FakePeer {
        if self.peer.is_none() {
            self.peer = Some(self.fake.accept().await);
        }
        self.peer.as_mut().unwrap()
    }
}

#[async_trait]
impl Feed for Connected {
    async fn send(&mut self, given: &Value) {
        self.number += 1;
        let id = format!("m{}", self.number);
        let payload = raw(given).unwrap_or_else(|| given["event"].to_string());
        let bytes = match given["frame"].as_str() {
            Some(bytes) => hex::decode(bytes).unwrap(),
            None => match given["parts"].as_u64().map(|parts| usize::try_from(parts).unwrap()) {
                None => part(&id, 1, 0, payload.as_bytes()),
                Some(parts) => {
                    let size = payload.len().div_ceil(parts);
                    let pieces: Vec<&[u8]> = payload.as_bytes().chunks(size).collect();
                    let peer = self.peer().await;
                    // In no order.
                    for (at, piece) in pieces.iter().enumerate().skip(1).rev() {
                        peer.say_bytes(&part(&id, pieces.len(), at, piece)).await;
                    }
                    part(&id, pieces.len(), 0, pieces[0])
                }
            },
        };
        self.peer().await.say_bytes(&bytes).await;
    }

    async fn mark(&mut self, text: &str) {
        let mut mark = hello(1_000_000 + self.number);
        mark["event"]["message"]["content"] = json!(json!({ "text": text }).to_string());
        self.send(&json!({ "event": mark })).await;
    }

    async fn attend(&mut self) {
        // Answers and signs of life, until the app hangs up.
        if let Some(peer) = &mut self.peer {
            peer.closing().await;
        }
        self.peer = Some(self.fake.accept().await);
    }
}

#[tokio::test]
async fn i14_i15_i16_the_connection_conforms() {
    let open = async |_: &Case| {
        let fake = Fake::start().await;
        let bot = fake.bot(setup(), |_| {});
        let feed = Connected { fake, peer: None, number: 0 };
        Subject::stream(bot, feed).hiding(APP_SECRET).hiding("t1cket").hiding("t-0ken")
    };
    check(&table(), "socket", open).await;
}

#[test]
fn recorded_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("feishu-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let event = &file["payload"];
        let app = event["header"]["app_id"].as_str().unwrap();
        let message = event::parse(&account(), app, None, event).unwrap();
        assert_eq!((message.conversation, message.origin), (Conversation::Direct, Origin::Person), "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
        assert_eq!(message.message_id.as_deref(), event::id(event), "{name}");
        assert!(event::parse(&account(), "cli_another", None, event).is_err(), "{name}: another app's");
    }
}

#[test]
fn recorded_signatures_are_right() {
    for (_, vectors) in recorded::payloads("signature-vectors") {
        let vectors: Value = serde_json::from_str(&vectors).unwrap();
        let found = ["vectors", "channels"].iter().find_map(|below| vectors.get(*below));
        let vector = &found.unwrap_or(&vectors)["feishu"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = Secret::new(text(&vector["encrypt_key"]));
        let body: Value = serde_json::from_str(&text(&vector["body"])).unwrap();
        let plain = encryption::decrypt(&key, body["encrypt"].as_str().unwrap()).unwrap();
        assert_eq!(plain, serde_json::from_str::<Value>(&text(&vector["plaintext"])).unwrap());
        let headers = &vector["headers"];
        let parts = [
            text(&headers["x-lark-request-timestamp"]),
            text(&headers["x-lark-request-nonce"]),
            key.reveal().to_owned(),
            text(&vector["body"]),
        ];
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        assert!(
            crate::signature::Signature::sha256(&key, &parts).is_hex(&text(&headers["x-lark-signature"]))
        );
    }
}

#[test]
fn garbage_of_any_shape_is_dropped() {
    for garbage in [
        json!(null),
        json!([]),
        json!({ "header": {}, "event": {} }),
        json!({ "header": { "event_type": "im.message.receive_v1", "app_id": APP }, "event": { "sender": 5 } }),
        json!({ "header": { "event_type": 5, "app_id": APP }, "event": {} }),
        json!({ "header": { "event_type": "x", "app_id": APP }, "event": { "sender": { "sender_id": { "open_id": 5 } } } }),
    ] {
        assert!(event::parse(&account(), APP, None, &garbage).is_err(), "{garbage}");
        assert_eq!(event::id(&garbage), None);
    }
}
