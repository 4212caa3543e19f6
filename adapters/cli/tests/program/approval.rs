//! `dmgate pairing approve` and `reject`.

use crate::place::Place;

#[test]
fn a_code_lets_its_sender_in() {
    let place = Place::new();
    let code = place.code("telegram 12345678");
    assert_eq!(place.ok(&format!("pairing approve telegram {code}")), "Approved telegram sender 12345678.\n");
    assert_eq!(place.verdict("telegram 12345678"), "admit allowlisted");
    assert_eq!(place.ok("pairing list"), "No pending pairing requests.\n");
    assert!(
        place.fails(1, &format!("pairing approve telegram {code}")).contains("`dmgate pairing list`"),
        "once"
    );
}

#[test]
fn a_code_is_typed_in_any_case_with_blanks_around_it_and_without_its_channel() {
    let place = Place::new();
    let code = place.code("telegram 12345678");
    place.code("signal +4915112345678");
    let typed = format!("  {} ", code.to_lowercase());
    let done = place.run(&["pairing", "approve", &typed]);
    assert_eq!((done.code, done.out.as_str()), (0, "Approved telegram sender 12345678.\n"));
}

#[test]
fn what_is_no_code_is_wrong_usage() {
    let place = Place::new();
    let code = place.code("telegram 12345678");
    for bad in
        ["", "ABCD234", "ABCD23456", "ABCD2340", "ABCDO345", "ABCD1345", "IBCD2345", "ABCD 345", "ÄBCD2345"]
    {
        let said = place.fails_with(2, &["pairing", "approve", "telegram", bad]);
        assert!(said.contains("without 0, O, 1 and I"), "{said}");
        assert!(bad.is_empty() || !said.contains(bad), "a code is not repeated: {said}");
    }
    assert!(place.fails(2, "pairing approve").contains("name a code"));
    assert!(!place.fails(2, &format!("pairing approve telegram {code} more")).contains(&code));
    place.fails(2, "pairing approve telegram --sender @alice");
    place.fails(2, "pairing approve --sender 1 --request 2");
}

#[test]
fn i5_a_code_is_for_its_own_channel_and_account() {
    let place = Place::new();
    let code = place.code("telegram 12345678 --account work");
    place.fails(1, &format!("pairing approve signal {code}"));
    place.fails(1, &format!("pairing approve telegram {code} --account other"));
    place.fails(1, &format!("pairing approve {code} --account default"));
    place.ok(&format!("pairing approve {code} --account WORK"));
    assert_eq!(place.verdict("telegram 12345678 --account work"), "admit allowlisted");
    assert_eq!(place.verdict("telegram 12345678"), "challenge pairing_required");
}

#[test]
fn a_sender_or_a_request_does_in_place_of_a_code() {
    let place = Place::new();
    place.code("telegram 5");
    place.code("telegram 6");
    place.code("nostr 3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d");
    assert_eq!(place.ok("pairing approve telegram --sender tg:5"), "Approved telegram sender 5.\n");
    place.ok("pairing approve --sender npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6");
    let listed: serde_json::Value = serde_json::from_str(&place.ok("pairing list telegram --json")).unwrap();
    let request = listed["requests"][0]["requestId"].as_str().unwrap();
    assert_eq!(place.ok(&format!("pairing reject --request {request}")), "Rejected telegram sender 6.\n");
    place.fails(1, &format!("pairing reject --request {request}"));
    place.fails(1, "pairing approve --sender 7");
}

#[test]
fn a_sender_who_waits_on_two_accounts_needs_the_account() {
    let place = Place::new();
    place.code("telegram 5");
    place.code("telegram 5 --account work");
    place.code("signal +4915112345678");
    assert!(place.fails(1, "pairing approve telegram --sender 5").contains("--account"));
    place.ok("pairing approve telegram --sender 5 --account work");
}

#[test]
fn a_sender_who_waits_on_two_channels_needs_the_channel() {
    let place = Place::new();
    place.code("telegram 5");
    place.code("discord 5");
    let said = place.fails(1, "pairing approve --sender 5");
    assert!(said.contains("discord and telegram"), "{said}");
}

#[test]
fn i2_a_rejected_sender_gets_no_other_code_within_the_hour() {
    let place = Place::new();
    let code = place.code("telegram 5");
    assert_eq!(place.ok(&format!("pairing reject telegram {code}")), "Rejected telegram sender 5.\n");
    assert_eq!(place.verdict("telegram 5"), "ignore hour_used");
}

#[test]
fn a_rejected_sender_may_be_blocked_at_once() {
    let place = Place::new();
    let code = place.code("telegram 5");
    assert_eq!(
        place.ok(&format!("pairing reject {code} --block")),
        "Rejected and blocked telegram sender 5.\n"
    );
    assert_eq!(place.verdict("telegram 5"), "ignore blocked");
    assert_eq!(place.ok("block list telegram"), "5\n");
}

#[test]
fn a_notice_is_announced() {
    let place = Place::new();
    let code = place.code("telegram 5");
    let said = place.ok(&format!("pairing approve {code} --notify"));
    assert!(said.starts_with("Approved telegram sender 5.\n") && said.contains("`dmgate run`"), "{said}");
}

#[test]
fn i8_a_damaged_channel_does_not_hide_the_others() {
    let place = Place::new();
    let code = place.code("telegram 5");
    place.code("signal +4915112345678");
    std::fs::write(place.state().join("credentials/signal-pairing.json"), "{").unwrap();
    let listed = place.run(&["pairing", "list"]);
    assert_eq!(listed.code, 3, "{listed:?}");
    assert!(listed.out.contains(&code) && listed.err.contains("signal-pairing.json"), "{listed:?}");
    place.ok(&format!("pairing approve {code}"));
}

#[test]
fn what_was_done_is_on_record() {
    let place = Place::new();
    let code = place.code("telegram 5");
    place.ok(&format!("pairing approve {code}"));
    let audit = std::fs::read_to_string(place.state().join("audit.jsonl")).unwrap();
    assert!(audit.contains("cli:ann") && !audit.contains(&code), "{audit}");
}

#[test]
fn an_approval_that_does_not_count_is_told() {
    let place = Place::new();
    let code = place.code("telegram 5");
    place.configure("[channels.telegram]\ndm_policy = 'allowlist'");
    let done = place.run(&["pairing", "approve", &code]);
    assert_eq!((done.code, done.out.as_str()), (0, "Approved telegram sender 5.\n"));
    assert!(done.err.contains("do not count"), "{}", done.err);
}
