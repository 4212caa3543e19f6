//! E. One gate before every path and every side effect, and nothing at all before the envelope is proven.
//!
//! CVE-2026-35652, GHSA-x2ff-j5c2-ggpr, GHSA-w5ww-7chg-mxcq, CVE-2026-41367, CVE-2026-32899, CVE-2026-32923,
//! CVE-2026-53851, GHSA-8m9v-xpgf-g99m, CVE-2026-34507 (GHSA-w4v6-g3wm-w36c), GHSA-77pv-3w4q-vrj5, CVE-2026-53833,
//! CVE-2026-62221, CVE-2026-33576, CVE-2026-35647, CVE-2026-41301, CVE-2026-28454, CVE-2026-32974, CVE-2026-53815,
//! GHSA-v773-r54f-q32w, CVE-2026-56835, CVE-2026-18773.
//!
//! Also: `i14_every_event_that_acts_passes_the_same_gate`, `i14_what_is_refused_by_its_envelope_changes_nothing`,
//! `i1_what_came_with_a_message_is_fetched_with_its_permit_only`,
//! `i1_without_a_permit_nothing_compiles_that_reaches_the_agent`, `i14_only_who_knows_the_secret_is_heard`,
//! `i9_who_was_revoked_is_not_told_that_they_are_in`.

use dmgate::DmPolicy;
use serde_json::{Value, json};

use crate::ground::{Ground, id, key, owner, person, policy, private, secret_of, text};

/// What Telegram may report of somebody who writes to the bot alone: what acts, then what does not.
fn events(from: i64) -> (Vec<Value>, Vec<Value>) {
    let said = |what: Value| {
        let mut message = text(from, &private(from), "")["message"].clone();
        message.as_object_mut().unwrap().remove("text");
        message.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        message
    };
    let words = ["hello", "/start", "/stop", "/models", "/approve ABCDEFGH", "/allowlist add 42", "stop"];
    let mut acts: Vec<Value> =
        words.iter().map(|word| json!({ "message": said(json!({ "text": word })) })).collect();
    let files = json!({ "file_id": "f", "file_size": 5 });
    for kind in ["document", "audio", "voice", "video", "video_note", "sticker", "animation"] {
        let mut with = json!({ "caption": kind });
        with[kind] = files.clone();
        acts.push(json!({ "message": said(with) }));
    }
    acts.push(json!({ "callback_query": { "id": "9", "from": person(from), "data": "approve:42", "message": said(json!({ "text": "x" })) } }));
    let user = person(from);
    let others = vec![
        json!({ "edited_message": said(json!({ "text": "hello" })) }),
        json!({ "business_message": said(json!({ "text": "hello" })) }),
        json!({ "message_reaction": { "chat": private(from), "user": user, "message_id": 1, "date": 1, "old_reaction": [], "new_reaction": [] } }),
        json!({ "my_chat_member": { "chat": private(from), "from": user, "date": 1 } }),
        json!({ "chat_join_request": { "chat": private(from), "from": user, "date": 1 } }),
        json!({ "inline_query": { "id": "1", "from": user, "query": "hello", "offset": "" } }),
        json!({ "poll_answer": { "poll_id": "1", "user": user, "option_ids": [0] } }),
        json!({ "pre_checkout_query": { "id": "1", "from": user, "currency": "XTR", "total_amount": 1 } }),
        json!({ "message": said(json!({ "pinned_message": { "message_id": 1 } })) }),
        json!({ "message": said(json!({ "write_access_allowed": {} })) }),
        json!({ "callback_query": { "id": "9", "from": user, "data": "stop", "inline_message_id": "1" } }),
        json!({ "something_new": { "from": user, "chat": private(from), "text": "hello" } }),
        json!({}),
    ];
    (acts, others)
}

/// Nothing that a stranger does reaches the agent or calls the platform; one code is made for all of it, and for what is
/// no message none.
#[tokio::test]
async fn e_no_event_of_a_stranger_has_an_effect() {
    for (dm, codes) in
        [(DmPolicy::Pairing, 1), (DmPolicy::Allowlist, 0), (DmPolicy::Open, 0), (DmPolicy::Disabled, 0)]
    {
        let ground = Ground::new(policy(dm, &[]));
        ground.store().block(&key("default"), &id("66"), &owner()).await.unwrap();
        let (acts, others) = events(42);
        let before = ground.files();
        for update in others.into_iter().chain(events(66).0).chain(events(66).1) {
            ground.telegram(update).await;
        }
        assert_eq!(ground.files(), before, "{dm}");
        for update in acts {
            ground.telegram(update).await;
        }
        let pending = ground.store().pending(key("default").channel()).await.unwrap();
        assert_eq!(pending.len(), codes, "{dm}");
        assert!(ground.is_quiet(), "nothing is fetched, acknowledged or shown");
        assert_eq!(ground.end().await, [""; 0], "{dm}");
    }
}

/// Each of the same events of somebody who is in does reach the agent, so the test above can fail.
#[tokio::test]
async fn e_every_event_that_acts_is_heard_of_who_is_in() {
    let ground = Ground::new(policy(DmPolicy::Pairing, &["42"]));
    let (acts, others) = events(42);
    let count = acts.len();
    for update in acts.into_iter().chain(others) {
        ground.telegram(update).await;
    }
    assert_eq!(ground.end().await.len(), count);
}

/// A call that does not prove to be Telegram's: nothing is noted, made or answered, whoever it says it is from.
#[tokio::test]
async fn e_an_unproven_call_leaves_nothing() {
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    ground.allow("42").await;
    let before = ground.files();
    let good = secret_of("default");
    let forged = [
        "",
        " ",
        "x",
        &good[1..],
        &good[..good.len() - 1],
        &good.to_uppercase(),
        &format!("{good} "),
        &format!("{good},{good}"),
        "null",
        "undefined",
    ];
    for secret in forged {
        for from in [42, 43] {
            let mut update = text(from, &private(from), "forged");
            update["update_id"] = json!(1);
            let status = ground.call("default", secret, &update).await;
            // What HTTP cuts off at the ends of a header is not there.
            assert_eq!(status, 401, "{secret:?}");
        }
    }
    assert_eq!(ground.files(), before);
    assert!(ground.is_quiet());
    // The number of a forged call is not remembered as one that came.
    let mut update = text(42, &private(42), "true");
    update["update_id"] = json!(1);
    assert_eq!(ground.call("default", &good, &update).await, 200);
    assert_eq!(ground.end().await, ["42: true"]);
}
