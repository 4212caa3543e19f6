//! What is read from lines.

use dmgate::{Authenticity, Conversation, Strength};
use serde_json::Value;

use super::*;
use crate::fixtures;
use crate::irc::line::Line;
use crate::irc::message::Reading;
use crate::irc::server::Server;

#[test]
fn i14_i15_i16_lines_are_read_as_the_fixtures_say() {
    let account = AccountKey::parse("irc", "default").unwrap();
    let fixtures: Value = serde_json::from_str(&fixtures::read("irc.json")).unwrap();
    let cases = fixtures["cases"].as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let mut server = Server::default();
        server.learn(&format!("CASEMAPPING={}", case["casemapping"].as_str().unwrap_or("rfc1459")));
        let reading = Reading {
            account: &account,
            identity: if case["identity"] == "hostmask" { Identity::Hostmask } else { Identity::Account },
            nick: case["nick"].as_str().unwrap_or("botty"),
            server: &server,
            has_accounts: case["has_accounts"] != Value::Bool(false),
        };
        let line = Line::parse(case["line"].as_str().unwrap().as_bytes());
        let message = line.and_then(|line| reading.read(&line).ok());
        fixtures::compare(case, message.as_ref());
        if let Some(message) = message {
            assert_eq!(message.authenticity, Authenticity::Verified);
            assert!(message.sender.aliases().is_empty(), "nicks are no ids");
        }
    }
}

#[test]
fn i15_recorded_lines_count_only_with_the_account() {
    let account = AccountKey::parse("irc", "default").unwrap();
    let server = Server::default();
    for (name, lines) in fixtures::extra("irc-") {
        for text in lines.lines().filter(|line| line.contains(" PRIVMSG ")) {
            let reading = Reading {
                account: &account,
                identity: Identity::Account,
                nick: "botty",
                server: &server,
                has_accounts: true,
            };
            let message = reading.read(&Line::parse(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(message.conversation, Conversation::Direct, "{name}: {text}");
            let is_proven = text.contains("account=");
            let strength = if is_proven { Strength::Authenticated } else { Strength::Mutable };
            assert_eq!(message.sender.strength(), strength, "{name}: {text}");
            assert_eq!(message.sender.primary().as_str() == "account:alice", is_proven, "{name}: {text}");
            assert_eq!(message.sent_at.is_some(), text.starts_with('@'), "{name}: {text}");
        }
    }
}
