//! A. What the owner grants in direct messages opens no group.
//!
//! GHSA-g34w-4xqq-h79m (CVE-2026-26328), GHSA-25pw-4h6w-qwvm, CVE-2026-31991, GHSA-wm8r-w8pf-2v6w, GHSA-jv6r-27ww-4gw4,
//! GHSA-gp3q-wpq4-5c5h, CVE-2026-44110.
//!
//! Also: `i16_a_grant_opens_no_group` (any grant, any policy, both stores), the fixtures of Telegram and IRC in
//! `i14_i15_i16_the_web_hook_conforms` and `i14_i15_i16_lines_conform`.

use dmgate::pairing::Target;
use dmgate::{Conversation, DmPolicy, EventKind, InboundMessage};
use serde_json::{Value, json};

use crate::ground::{Ground, id, key, message, owner, person, policy, private, text};

/// Every event, in what is no direct conversation, under every policy: whoever it is, the answer is the same.
#[tokio::test]
async fn a_no_event_in_a_group_asks_who_sent_it() {
    use EventKind::*;
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    ground.allow("1").await;
    ground.says(&message("default", "2")).await;
    ground.says(&message("default", "3")).await;
    ground.approve(Target::Sender(id("3"))).await.unwrap();
    ground.store().block(&key("default"), &id("4"), &owner()).await.unwrap();
    let before = ground.files();
    let policies = [
        policy(DmPolicy::Pairing, &["5"]),
        policy(DmPolicy::Allowlist, &["5"]),
        policy(DmPolicy::Open, &["5", "*"]),
        policy(DmPolicy::Disabled, &["5"]),
    ];
    for policy in policies {
        ground.gate.set_policies([], policy);
        for event in [Message, Command, Button, Callback, Edit, Reaction, Receipt, Membership, Other] {
            for conversation in [Conversation::Group, Conversation::Unknown] {
                let expected = if event.acts() { "not_direct" } else { "not_a_message" };
                // In by hand, waiting, approved, blocked, configured, and a stranger.
                for sender in ["1", "2", "3", "4", "5", "6"] {
                    let message = InboundMessage { event, conversation, ..message("default", sender) };
                    assert_eq!(ground.says(&message).await, expected, "{sender} {event:?}");
                }
            }
        }
    }
    assert_eq!(ground.files(), before);
}

/// Chats that are not between the sender and the bot, or do not say so.
pub(crate) fn other_chats(from: i64) -> Vec<Value> {
    vec![
        json!({ "id": -100_777, "type": "supergroup" }),
        json!({ "id": -7, "type": "group" }),
        json!({ "id": -100_778, "type": "channel" }),
        // A group that says it is whom it hears.
        json!({ "id": from, "type": "group" }),
        json!({ "id": from, "type": "supergroup" }),
        json!({ "id": from, "type": "channel" }),
        // Somebody else's private chat.
        json!({ "id": from + 1, "type": "private" }),
        json!({ "id": -from, "type": "private" }),
        // Of no kind that is known, or of none at all.
        json!({ "id": from, "type": "Private" }),
        json!({ "id": from, "type": "private " }),
        json!({ "id": from, "type": "sender" }),
        json!({ "id": from, "type": "" }),
        json!({ "id": from, "type": null }),
        json!({ "id": from }),
        json!({ "type": "private" }),
        json!({ "id": from.to_string(), "type": "private" }),
        json!({}),
        json!(null),
    ]
}

/// What can be done in a chat that an agent would act on.
fn acts(from: i64, chat: &Value) -> Vec<Value> {
    let said = |what: Value| {
        let mut message = json!({ "message_id": 1, "from": person(from), "chat": chat });
        message.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        json!({ "message": message })
    };
    vec![
        said(json!({ "text": "hello" })),
        said(json!({ "text": "/stop@gate_bot" })),
        said(json!({ "photo": [{ "file_id": "f" }], "caption": "look" })),
        json!({ "callback_query": {
            "id": "9", "from": person(from), "data": "stop", "message": { "message_id": 1, "chat": chat },
        } }),
    ]
}

#[tokio::test]
async fn a_a_dm_grant_opens_no_group_on_telegram() {
    for (dm, listed) in
        [(DmPolicy::Pairing, &["42"][..]), (DmPolicy::Allowlist, &["42"]), (DmPolicy::Open, &["*"])]
    {
        let ground = Ground::new(policy(dm, listed));
        ground.allow("42").await;
        let before = ground.files();
        // Somebody who is in, and somebody who is not.
        for from in [42, 4_300] {
            for update in other_chats(from).iter().flat_map(|chat| acts(from, chat)) {
                ground.telegram(update).await;
            }
            // Private as it looks, and an owner's mail; or nobody's in particular.
            for mark in ["business_connection_id", "sender_chat"] {
                let mut update = text(from, &private(from), "not for the bot");
                update["message"][mark] = json!("x");
                ground.telegram(update).await;
            }
        }
        assert_eq!(ground.files(), before, "no code, and nothing noted");
        assert!(ground.is_quiet());
        for update in acts(42, &private(42)) {
            ground.telegram(update).await;
        }
        assert_eq!(ground.end().await, ["42: hello", "42: /stop@gate_bot", "42: look", "42: stop"], "{dm}");
    }
}
