//! What came of a case, beside what should.

use dmgate::{Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, SenderId};
use serde_json::{Map, Value, json};

use super::Case;

/// Compares what came with what a case expects.
pub(super) fn compare(case: &Case, messages: &[InboundMessage]) {
    let expected: Vec<&Value> = match &case.expect {
        Value::Null => Vec::new(),
        Value::Array(expected) => expected.iter().collect(),
        expected => vec![expected],
    };
    let came: Vec<Map<String, Value>> = messages.iter().map(describe).collect();
    assert_eq!(came.len(), expected.len(), "{case}: how many messages; came {came:?}");
    for (came, expected) in came.iter().zip(expected) {
        for (key, value) in expected.as_object().expect("what is expected is an object") {
            assert_eq!(came.get(key), Some(value), "{case}: `{key}`");
        }
    }
    for message in messages {
        assert_eq!(message.authenticity, Authenticity::Verified, "{case}: what is not proven is no message");
    }
}

fn describe(message: &InboundMessage) -> Map<String, Value> {
    let conversation = match message.conversation {
        Conversation::Direct => "direct",
        Conversation::Group => "group",
        Conversation::Unknown => "unknown",
    };
    let event = match message.event {
        EventKind::Message => "message",
        EventKind::Command => "command",
        EventKind::Button => "button",
        EventKind::Callback => "callback",
        EventKind::Edit => "edit",
        EventKind::Reaction => "reaction",
        EventKind::Receipt => "receipt",
        EventKind::Membership => "membership",
        EventKind::Other => "other",
    };
    let origin = match message.origin {
        Origin::Person => "person",
        Origin::Own => "own",
        Origin::Bot => "bot",
    };
    let aliases: Vec<&str> = message.sender.aliases().iter().map(SenderId::as_str).collect();
    let attachments: Vec<String> = message.attachments.iter().map(attachment).collect();
    let described = json!({
        "sender": message.sender.primary().as_str(),
        "aliases": aliases,
        "name": message.sender.name(),
        "strength": format!("{:?}", message.sender.strength()),
        "conversation": conversation,
        "event": event,
        "origin": origin,
        "text": message.text,
        "route": message.route.as_str(),
        "sent_at": message.sent_at.map(|at| at.to_string()),
        "message_id": message.message_id,
        "attachments": attachments,
    });
    described.as_object().cloned().unwrap_or_default()
}

fn attachment(attachment: &Attachment) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let size = attachment.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let Attachment { kind, media_type, name, reference, .. } = attachment;
    format!("{kind} {} {} {size} {reference}", text(media_type), text(name))
}
