//! What every adapter must pass: a table of what a platform sends and what must come of it.
//!
//! The table is JSON, one file per channel. Its cases are written by whoever knows the platform; what holds of each
//! kind of input on every platform is checked here and can't be left out. A kind that a platform does not have is said
//! in words. What is tested is the adapter's real path: a request is given to its web hook, an event to a stand-in for
//! the platform that the running adapter is connected to.
//!
//! ```json
//! {
//!   "cases": [
//!     { "kind": "direct", "case": "a private text",
//!       "given": { "message": { "from": { "id": 42 }, "text": "hello" } },
//!       "expect": { "sender": "42", "text": "hello", "route": "42" } },
//!     { "kind": "wrong_signature", "case": "another secret", "by": "webhook", "status": 401,
//!       "given": { "secret": "wrong", "message": {} }, "then": { "message": {} } }
//!   ],
//!   "never": {
//!     "any": { "group_direct": "there is no such thing on this platform" },
//!     "poll": { "wrong_signature": "we ask the platform ourselves, over TLS: nothing is signed" }
//!   }
//! }
//! ```
//!
//! `given` is whatever the adapter's own test makes a request or an event of. `expect` is `null` or left out for
//! nothing, an object for one message, a list for several: each names the fields that it is about (`sender`, `aliases`,
//! `name`, `strength`, `conversation`, `event`, `origin`, `text`, `route`, `sent_at`, `message_id`, `attachments`).
//! `before` is a list of what is given first, `then` what must be taken as usual afterwards: what was refused has left
//! nothing behind. `by` names the transport where a case is about one only.
//!
//! A test is then:
//!
//! ```
//! use std::sync::Arc;
//!
//! use dmgate_channels::conformance::{Subject, Table, check};
//! # use dmgate::*;
//! # use bytes::Bytes;
//! # struct Hook(ChannelMeta);
//! # #[async_trait::async_trait]
//! # impl ChannelAdapter for Hook {
//! #     fn meta(&self) -> &ChannelMeta { &self.0 }
//! #     async fn run(&self, _: Inbox, _: tokio_util::sync::CancellationToken) -> Result<(), ChannelError> { Ok(()) }
//! #     fn refuses(&self, _: &http::request::Parts) -> Option<http::StatusCode> { None }
//! #     async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
//! #         let mut answer = Webhook::status(http::StatusCode::OK);
//! #         let id = SenderId::parse(self.0.account.channel(), "42").unwrap();
//! #         let mut message = InboundMessage::direct(self.0.account.clone(), Sender::new(id), "hello");
//! #         message.route = ReplyRoute::new("42");
//! #         answer.messages.push(message);
//! #         answer
//! #     }
//! #     async fn send_text(&self, _: &ReplyRoute, _: &OutboundText) -> Result<(), SendError> {
//! #         Err(SendError::Impossible { reason: String::new() })
//! #     }
//! #     fn status(&self) -> ChannelStatus { ChannelStatus::Ready }
//! # }
//! # let account = AccountKey::parse("mine", "default").unwrap();
//! # let meta = ChannelMeta { account, id_line: String::new(), text_limit: 9, idempotent_sends: false };
//! # let adapter = Arc::new(Hook(meta));
//! # let text = r#"{ "cases": [{ "kind": "direct", "case": "x", "given": {}, "expect": { "sender": "42" } }],
//! #   "never": { "any": { "group": "-", "group_direct": "-", "own": "-", "bot": "-", "edit": "-", "reaction": "-",
//! #   "receipt": "-", "duplicate": "-", "wrong_signature": "-", "missing_signature": "-", "replayed": "-",
//! #   "unknown": "-", "missing_sender": "-", "over_long": "-", "malformed": "-", "backlog": "-",
//! #   "attachment": "-" } } }"#;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let table = Table::parse(text);
//! check(&table, "webhook", async |_case| {
//!     let request = |given: &serde_json::Value| {
//!         http::Request::post("/webhooks/mine/default").body(given.to_string().into()).unwrap()
//!     };
//!     Subject::hook(Arc::clone(&adapter), request).hiding("s3cret")
//! })
//! .await;
//! # });
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests: what is not as it must be fails them"
)]

mod expect;
mod overheard;
mod subject;
mod table;

use dmgate::{Conversation, InboundMessage, Origin, ReplyRoute, SendError, Strength, TextKind};
use http::StatusCode;
use overheard::Overheard;
pub use subject::{Feed, Given, Subject};
pub use table::{Case, Kind, Table};

/// The longest text that may reach the gate, in bytes: no platform sends more in one message.
const TEXT_LIMIT: usize = 1024 * 1024;

/// The longest id of a message, in bytes.
const ID_LIMIT: usize = 1024;

/// Runs a table against an adapter, by one of its transports; each case has an adapter of its own, which `open` makes.
///
/// What an adapter owes is waited for without an end: one that is broken may hang here, so a run of tests needs an end
/// of its own.
///
/// # Panics
/// With the name of the first case that is not as it must be, or of the kind that is missing.
pub async fn check(table: &Table, transport: &str, mut open: impl AsyncFnMut(&Case) -> Subject) {
    table.covers(transport);
    for case in table.cases(transport) {
        let overheard = Overheard::begin();
        let mut subject = open(case).await;
        run(case, &mut subject).await;
        routes_are_checked(case, &subject).await;
        let secrets = subject.end().await;
        let log = overheard.end();
        for secret in secrets {
            assert!(!log.contains(&secret), "{case}: a secret is in the log");
        }
    }
}

/// A web hook's event that the gate does not have yet must neither count a second time nor be confirmed when it is
/// repeated: the first one may still get lost. Then it counts.
async fn is_not_confirmed_before_it_is_taken(case: &Case, subject: &mut Subject) {
    let Some(before) = case.before().last() else { return };
    let Some(under_way) = subject.call(before).await else { return };
    assert_eq!(under_way.messages.len(), 1, "{case}: the first time it is a message");
    if let Some(repeat) = subject.call(before).await {
        let status = repeat.response.status();
        assert!(
            status.is_server_error() && repeat.messages.is_empty(),
            "{case}: a repeat of what nobody has taken yet is answered {status}"
        );
    }
}

async fn run(case: &Case, subject: &mut Subject) {
    if case.kind == Kind::Duplicate {
        is_not_confirmed_before_it_is_taken(case, subject).await;
    }
    for before in case.before() {
        let given = subject.give(before).await;
        shows_no_secret(case, subject, &given);
        if case.kind == Kind::Duplicate {
            assert_eq!(given.messages.len(), 1, "{case}: the first time it is a message");
        }
    }
    let given = subject.give(&case.given).await;
    shows_no_secret(case, subject, &given);
    if let Some(status) = given.status {
        assert!(
            !status.is_server_error(),
            "{case}: answered {status}, and the platform would repeat it for ever"
        );
        if let Some(expected) = case.status {
            assert_eq!(status.as_u16(), expected, "{case}: the status");
        }
    }
    expect::compare(case, &given.messages);
    for message in &given.messages {
        is_bounded(case, subject, message);
    }
    let refused = given.status.is_some_and(|status| !status.is_success());
    is_of_its_kind(case, &given.messages, given.status.is_some(), given.status.filter(|_| refused));
    if let Some(then) = &case.then {
        let given = subject.give(then).await;
        assert_eq!(given.messages.len(), 1, "{case}: what was refused used something up");
        assert!(given.status.is_none_or(|status| status.is_success()), "{case}: {:?}", given.status);
    }
}

/// What holds of each kind, on every platform.
fn is_of_its_kind(case: &Case, messages: &[InboundMessage], is_hook: bool, refused: Option<StatusCode>) {
    let every = |holds: fn(&InboundMessage) -> bool, what: &str| {
        assert!(messages.iter().all(holds), "{case}: {what}");
    };
    let nothing = |what: &str| assert!(messages.is_empty(), "{case}: {what}");
    match case.kind {
        Kind::Direct => {
            assert_eq!(messages.len(), 1, "{case}: one message");
            every(|message| message.event.acts(), "it makes the agent act");
            every(|message| message.conversation == Conversation::Direct, "it is one-to-one");
            every(|message| message.origin == Origin::Person, "a person sent it");
            let proven = |message: &InboundMessage| message.sender.strength() != Strength::Mutable;
            every(|message| !message.route.as_str().is_empty(), "there is a way back");
            every(proven, "the sender is proven");
            assert!(refused.is_none(), "{case}: it is taken");
        }
        Kind::Group | Kind::GroupDirect => {
            every(|message| message.conversation != Conversation::Direct, "it is not one-to-one");
        }
        Kind::Own => every(|message| message.origin == Origin::Own, "it is our own"),
        Kind::Bot => every(|message| message.origin != Origin::Person, "no person sent it"),
        Kind::Edit | Kind::Reaction | Kind::Receipt | Kind::Unknown => {
            every(|message| !message.event.acts(), "it makes nobody act");
        }
        Kind::Duplicate => nothing("it came before"),
        Kind::WrongSignature | Kind::MissingSignature => {
            // In a stream it may be the sender that is not proven, which the gate refuses.
            every(|message| message.sender.strength() == Strength::Mutable, "it is not proven");
            let proper = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
            let is_proper = refused.is_some_and(|status| proper.contains(&status));
            assert!(is_proper || !is_hook, "{case}: it is refused with 401 or 403, not {refused:?}");
        }
        Kind::Replayed => nothing("it is a copy"),
        Kind::MissingSender => nothing("nobody sent it"),
        Kind::Malformed => nothing("it is nothing"),
        // What is too long may be refused, cut, or be within what is bounded.
        Kind::OverLong => {}
        Kind::Backlog => every(|message| message.sent_at.is_some(), "it says how old it is"),
        Kind::Attachment => {
            assert!(!messages.is_empty(), "{case}: a message comes of it");
            let described = |message: &InboundMessage| {
                let good = |attachment: &dmgate::Attachment| {
                    !attachment.kind.is_empty() && !attachment.reference.is_empty()
                };
                !message.attachments.is_empty() && message.attachments.iter().all(good)
            };
            every(described, "what came with it is described");
        }
    }
}

/// What holds of every message.
fn is_bounded(case: &Case, subject: &Subject, message: &InboundMessage) {
    assert_eq!(message.account, subject.adapter.meta().account, "{case}: the account");
    assert!(message.text.len() <= TEXT_LIMIT, "{case}: a text of {} bytes", message.text.len());
    let route = message.route.as_str();
    assert!(route.len() <= ReplyRoute::MAX_BYTES, "{case}: a route of {} bytes is not kept", route.len());
    if let Some(id) = &message.message_id {
        assert!(!id.is_empty() && id.len() <= ID_LIMIT, "{case}: an id of {} bytes", id.len());
    }
    // What is not proven to be between two must not become a way for a code.
    if message.conversation != Conversation::Direct {
        assert_eq!(route, "", "{case}: there is no way into a conversation that is not one-to-one");
    }
}

fn shows_no_secret(case: &Case, subject: &Subject, given: &Given) {
    let status = subject.adapter.status();
    let shown = format!("{:?} {:?} {status:?}", given.messages, subject.adapter.meta());
    let answered = String::from_utf8_lossy(&given.answer);
    for secret in subject.secrets() {
        assert!(!shown.contains(secret), "{case}: a secret is shown");
        assert!(!answered.contains(secret), "{case}: a secret is in the answer");
    }
}

/// Routes come back from a store: what is none of ours leads nowhere.
async fn routes_are_checked(case: &Case, subject: &Subject) {
    let text = dmgate::OutboundText {
        body: "hello".to_owned(),
        kind: TextKind::Notice,
        idempotency_key: "conformance".to_owned(),
    };
    for route in ["", "\n", "\u{0}", "../..", "\u{202e}x"] {
        let sent = subject.adapter.send_text(&ReplyRoute::new(route), &text).await;
        assert!(matches!(sent, Err(SendError::Impossible { .. })), "{case}: sent to {route:?}: {sent:?}");
        let told = format!("{sent:?}");
        assert!(subject.secrets().all(|secret| !told.contains(secret)), "{case}: a secret is in the error");
    }
}

#[cfg(test)]
mod tests;
