//! B. What is granted, used up or guessed on one account is nothing to another.
//!
//! GHSA-vjp8-wprm-2jw9 (CVE-2026-32067), GHSA-wwfp-w96m-c6x8, GHSA-f693-58pc-2gfr, GHSA-pjvx-rx66-r3fg,
//! GHSA-8jhh-jcqg-mj5p, GHSA-rq6g-px6m-c248 (CVE-2026-28469), CVE-2026-41402.
//!
//! Also: `i8_what_happens_on_one_account_is_nothing_to_the_other` (random interleaving: verdicts, slots, hours,
//! lock-outs), `i5_a_code_is_for_its_own_channel_and_account`, `i8_two_accounts_never_share_a_file`,
//! `accounts_inherit_limits_and_policy_and_no_list`, `a_path_names_an_account_in_one_spelling_only`.

use dmgate::DmPolicy;
use dmgate::pairing::{Approval, PairingCode, Target};
use serde_json::json;

use crate::ground::{Ground, id, key, message, owner, policy, private, secret_of, text};

/// Whoever is in on the default account, by whatever list, is a stranger on every other; and the other way round.
#[tokio::test]
async fn b_no_list_is_read_for_another_account() {
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    let open = policy(DmPolicy::Open, &["3", "*"]);
    ground.gate.set_policies([(key("default"), open)], policy(DmPolicy::Pairing, &[]));
    ground.put("telegram-allowFrom.json", r#"{"version":1,"allowFrom":["1"]}"#);
    ground.put("telegram-default-allowFrom.json", r#"{"version":1,"allowFrom":["2"]}"#);
    ground.put("telegram-work-allowFrom.json", r#"{"version":1,"allowFrom":["4"]}"#);
    for sender in ["1", "2", "3"] {
        assert_eq!(ground.says(&message("default", sender)).await, "allowlisted");
    }
    assert_eq!(ground.says(&message("work", "4")).await, "allowlisted");
    assert_eq!(ground.says(&message("default", "4")).await, "open", "by no list");
    // Names that begin, end or look like those that have lists; none of them is configured.
    for other in ["work", "work2", "wor", "default-work", "default2", "allowfrom", "pairing", "telegram"] {
        for sender in ["1", "2", "3"] {
            let said = ground.says(&message(other, sender)).await;
            assert!(matches!(said, "pairing_required" | "pending_full"), "{other} {sender}: {said}");
        }
        for request in ground.store().pending(key(other).channel()).await.unwrap() {
            let target = Target::Request(request.request);
            let rejection = Approval { target, account: None, notify: false };
            ground.store().reject(key(other).channel(), rejection, false, &owner()).await.unwrap();
        }
    }
}

/// Each account has its own secret, and its own memory of what came before.
#[tokio::test]
async fn b_a_web_hook_is_its_own_accounts() {
    let ground = Ground::new(policy(DmPolicy::Open, &["*"]));
    let update = |said: &str| {
        let mut update = text(42, &private(42), said);
        update["update_id"] = json!(7);
        update
    };
    assert_eq!(ground.call("default", &secret_of("work"), &update("a")).await, 401);
    assert_eq!(ground.call("work", &secret_of("default"), &update("b")).await, 401);
    assert_eq!(ground.call("other", &secret_of("default"), &update("c")).await, 404);
    for _ in 0..2 {
        assert_eq!(ground.call("default", &secret_of("default"), &update("first")).await, 200);
        assert_eq!(ground.call("work", &secret_of("work"), &update("second")).await, 200);
    }
    let mut heard = ground.end().await;
    heard.sort();
    assert_eq!(heard, ["42: first", "42: second"], "each once");
}

/// A request that does not say in a readable way of which account it is lets nobody in on the default account.
#[tokio::test]
async fn b_a_request_of_no_readable_account_is_nobodys() {
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    ground.says(&message("default", "1")).await;
    let now = dmgate::Clock::now(&ground.clock);
    let request = |account: &str| {
        ground.put(
            "telegram-pairing.json",
            &format!(
                r#"{{"version":1,"requests":[{{"id":"42","code":"ABCDEFGH","createdAt":"{now}",
                "meta":{{"accountId":{account}}}}}]}}"#
            ),
        );
    };
    for account in ["5", "true", "[]", "{}", r#"["work"]"#, r#""""#, r#""../x""#, r#""a/b""#, r#""\ud800""#] {
        request(account);
        for target in [Target::Sender(id("42")), Target::Code(PairingCode::parse("ABCDEFGH").unwrap())] {
            assert!(ground.approve(target).await.is_err(), "{account}");
        }
        assert_ne!(ground.says(&message("default", "42")).await, "allowlisted", "{account}");
    }
    request("\" Work \"");
    ground.approve(Target::Sender(id("42"))).await.unwrap();
    assert_eq!(ground.says(&message("work", "42")).await, "allowlisted");
    assert_ne!(ground.says(&message("default", "42")).await, "allowlisted");
}
