//! What is read from calls.

use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Subject, Table, check};
use crate::recorded;
use crate::synology_chat::event;
use crate::webhook::Form;

fn table() -> Table {
    // A text longer than Chat's longest.
    let text = include_str!("../../../tests/conformance/synology-chat.json");
    Table::parse(&text.replace("$LONG", &"x".repeat(60_000)))
}

fn request(given: &Value) -> http::Request<Bytes> {
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    let body = given["raw"].as_str().map_or_else(
        || {
            let fields = given["form"].as_object().unwrap().iter();
            let fields = fields.map(|(name, value)| (name, value.as_str().unwrap()));
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
        },
        |raw| format!("{raw}{}", " ".repeat(blanks)),
    );
    http::Request::post("/webhooks/synology-chat/default").body(body.into()).unwrap()
}

#[tokio::test]
async fn i14_i15_i16_the_web_hook_conforms() {
    let server = FakeServer::start().await;
    let open = async |_: &Case| Subject::hook(introduced(&server).await, request).hiding(TOKEN);
    check(&table(), "webhook", open).await;
}

#[test]
fn recorded_private_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("synology-chat-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let form = Form::parse(file["payload"]["body"].as_str().unwrap().as_bytes());
        let message = event::parse(&account(), &form).unwrap();
        assert_eq!((message.conversation, message.origin), (Conversation::Direct, Origin::Person), "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert_eq!(message.route.as_str(), message.sender.primary().as_str(), "{name}");
    }
}
