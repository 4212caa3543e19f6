//! F. Who may approve: the owner on the command line. Nothing that anybody writes, presses or is called approves.
//!
//! CVE-2026-41910, CVE-2026-35620, CVE-2026-35621, CVE-2026-35630, CVE-2026-62217, CVE-2026-32906, CVE-2026-44991,
//! CVE-2026-53854, GHSA-p73f-w79w-jqr5, CVE-2026-56832, CVE-2026-53829.
//!
//! Also: `owners_are_persons` (no `*` among owners), `i5_a_code_is_for_its_own_channel_and_account`,
//! `f_no_name_looks_like_a_row_of_its_own`, `names_that_strangers_chose_are_escaped`, `what_strangers_chose_is_escaped`,
//! `what_was_done_is_on_record`.

use dmgate::DmPolicy;
use dmgate::pairing::Target;
use serde_json::json;

use crate::ground::{Ground, id, key, message, owner, person, policy, private, text};

/// Whoever is in, by approval or since everyone is, and whoever waits: neither their own code nor another's does
/// anything when it is written or pressed, and no file changes.
#[tokio::test]
async fn f_nothing_that_is_written_approves_anybody() {
    for (dm, listed) in [(DmPolicy::Pairing, &["1"][..]), (DmPolicy::Open, &["*"])] {
        let ground = Ground::new(policy(DmPolicy::Pairing, &["1"]));
        ground.telegram(text(42, &private(42), "hello")).await;
        ground.telegram(text(43, &private(43), "hello")).await;
        let pending = ground.store().pending(key("default").channel()).await.unwrap();
        ground.gate.set_policies([], policy(dm, listed));
        let before = ground.files();
        let mut said = Vec::new();
        for request in &pending {
            let (code, request) = (request.code.reveal(), &request.request);
            for words in [
                "CODE",
                "approve CODE",
                "/approve CODE",
                "/pair approve CODE",
                "dmgate pairing approve CODE",
                "pairing approve telegram CODE --notify",
                "/allowlist add 42",
                "dmgate allow add telegram 42",
                "yes",
                "y",
                "ok",
                "👍",
            ] {
                said.push(words.replace("CODE", code));
            }
            said.push(format!("approve --request {request}"));
        }
        for words in &said {
            for from in [1, 42, 43] {
                ground.telegram(text(from, &private(from), words)).await;
                let under = text(from, &private(from), "x")["message"].clone();
                let press = json!({ "id": "1", "from": person(from), "data": words, "message": under });
                ground.telegram(json!({ "callback_query": press })).await;
            }
        }
        assert_eq!(ground.files(), before, "{dm}");
        let waiting = ground.store().pending(key("default").channel()).await.unwrap();
        assert_eq!(waiting.len(), 2);
        let everyone = dm == DmPolicy::Open;
        let heard = ground.end().await;
        assert_eq!(
            heard.iter().any(|line| !line.starts_with("1: ")),
            everyone,
            "strangers are heard on an open account only"
        );
    }
}

/// A code is void once its sender came in, was blocked or refused in another way, also after they are out again.
#[tokio::test]
async fn f_a_code_dies_with_its_request() {
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    for (sender, end) in [("42", "allow"), ("43", "block"), ("44", "revoke")] {
        ground.says(&message("default", sender)).await;
        let pending = ground.store().pending(key("default").channel()).await.unwrap();
        let code = Target::Code(pending[0].code.clone());
        let (account, owner) = (key("default"), owner());
        match end {
            "allow" => {
                ground.allow(sender).await;
                ground.store().revoke(&account, &id(sender), &owner).await.unwrap();
            }
            "block" => {
                ground.store().block(&account, &id(sender), &owner).await.unwrap();
                ground.store().unblock(&account, &id(sender), &owner).await.unwrap();
            }
            _ => drop(ground.store().revoke(&account, &id(sender), &owner).await.unwrap()),
        }
        assert!(ground.approve(code).await.is_err(), "{end}");
        assert_eq!(ground.says(&message("default", sender)).await, "hour_used");
    }
}
