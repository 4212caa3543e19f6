//! `dmgate explain`.

use crate::place::Place;

#[test]
fn it_says_what_admit_would_say_and_changes_nothing() {
    let place = Place::with_config("[channels.telegram]\nallow_from = [5]\n");
    let stranger = place.ok("explain telegram 6");
    assert!(
        stranger.starts_with("A message of 6 to telegram:default: challenge (pairing_required)\n"),
        "{stranger}"
    );
    assert!(stranger.contains("dmgate allow add telegram 6"), "{stranger}");
    assert_eq!(place.ok("pairing list"), "No pending pairing requests.\n");
    assert_eq!(place.verdict("telegram 6"), "challenge pairing_required");

    let pending = place.ok("explain telegram tg:6");
    assert!(pending.contains("ignore (already_pending)") && pending.contains("--sender 6"), "{pending}");
    let listed = place.ok("explain telegram 5");
    assert!(listed.contains("admit (allowlisted)"), "{listed}");
    assert!(listed.contains(&format!("{}:2", place.config().display())), "{listed}");
    place.fails(2, "explain telegram @alice");
}

#[test]
fn under_allowlist_it_says_that_an_approval_does_not_count() {
    let place = Place::with_config("[channels.telegram]\ndm_policy = 'allowlist'\n");
    place.run(&["allow", "add", "telegram", "5"]);
    let said = place.ok("explain telegram 5");
    assert!(said.contains("ignore (not_allowlisted)") && said.contains("does not count"), "{said}");
}

#[test]
fn scripts_get_json() {
    let place = Place::new();
    place.ok("block add telegram 5");
    let said: serde_json::Value = serde_json::from_str(&place.ok("explain telegram 5 --json")).unwrap();
    assert_eq!((&said["decision"], &said["reason"]), (&"ignore".into(), &"blocked".into()));
    assert_eq!(said["policy"], "pairing");
    assert!(said["restsOn"].as_str().unwrap().contains("telegram-dmgate.jsonl"));
    assert_eq!(said["mend"], serde_json::json!(["dmgate block remove telegram 5"]));
}
