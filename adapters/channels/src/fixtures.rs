//! Fixtures for tests: what platforms send, and what is read from it.

use std::path::PathBuf;

use dmgate::{Attachment, Conversation, EventKind, InboundMessage, Origin};
use serde_json::{Map, Value, json};

/// A fixture of this crate.
pub(crate) fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Recorded payloads from `$DMGATE_EXTRA_PAYLOADS` whose names begin with `prefix`: name and content.
pub(crate) fn extra(prefix: &str) -> Vec<(String, String)> {
    let Some(folder) = std::env::var_os("DMGATE_EXTRA_PAYLOADS") else { return Vec::new() };
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<(String, String)> = files
        .map(|file| file.unwrap().path())
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path)))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no payloads `{prefix}…` in {}", folder.display());
    found
}

/// Compares what was read with what a fixture expects: `null` for nothing, else the keys that it names.
pub(crate) fn compare(case: &Value, message: Option<&InboundMessage>) {
    let name = case["case"].as_str().unwrap();
    let read = message.map(describe);
    match (case["expect"].as_object(), read) {
        (None, None) => {}
        (Some(expected), Some(read)) => {
            for (key, value) in expected {
                assert_eq!(read.get(key), Some(value), "{name}: {key}");
            }
        }
        (expected, read) => panic!("{name}: expected {expected:?}, read {read:?}"),
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
    let attachments: Vec<String> = message.attachments.iter().map(attachment).collect();
    let described = json!({
        "sender": message.sender.primary().as_str(),
        "name": message.sender.name(),
        "strength": format!("{:?}", message.sender.strength()),
        "authenticity": format!("{:?}", message.authenticity),
        "conversation": conversation,
        "event": event,
        "origin": origin,
        "text": message.text,
        "route": message.route.as_str(),
        "sent_at": message.sent_at.map(|at| at.to_string()),
        "message_id": message.message_id,
        "attachments": attachments,
    });
    described.as_object().unwrap().clone()
}

fn attachment(attachment: &Attachment) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let size = attachment.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let Attachment { kind, media_type, name, reference, .. } = attachment;
    format!("{kind} {} {} {size} {reference}", text(media_type), text(name))
}
