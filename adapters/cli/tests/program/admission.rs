//! `dmgate admit`: what a shell script gets.

use crate::place::Place;

#[test]
fn a_stranger_gets_one_code_and_a_known_sender_is_in() {
    let place = Place::new();
    let done = place.run(&["admit", "telegram", "12345678", "--name", "Ann", "--json"]);
    assert_eq!((done.code, done.out.lines().count(), done.err.as_str()), (10, 1, ""));
    let answer: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let keys: Vec<&str> = ["decision", "reason", "code", "expiresAt", "reply"].into();
    let positions: Vec<_> = keys.iter().map(|key| done.out.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(positions.is_sorted(), "{}", done.out);
    assert_eq!((&answer["decision"], &answer["reason"]), (&"challenge".into(), &"pairing_required".into()));
    let code = answer["code"].as_str().unwrap();
    assert!(answer["reply"].as_str().unwrap().contains(&format!("dmgate pairing approve telegram {code}")));
    assert!(answer["expiresAt"].as_str().unwrap().ends_with('Z'));

    let again = place.run(&["admit", "telegram", "12345678", "--json"]);
    assert_eq!(
        (again.code, again.out.as_str()),
        (11, "{\"decision\":\"ignore\",\"reason\":\"already_pending\"}\n")
    );

    place.ok(&format!("pairing approve telegram {code}"));
    let known = place.run(&["admit", "telegram", "12345678", "--json"]);
    assert_eq!(
        (known.code, known.out.as_str()),
        (0, "{\"decision\":\"admit\",\"reason\":\"allowlisted\"}\n")
    );
    let group = place.run(&["admit", "telegram", "12345678", "--group"]);
    assert_eq!((group.code, group.out.as_str()), (11, "ignore (not_direct)\n"));
}

#[test]
fn without_json_the_text_for_the_sender_is_all_that_is_printed() {
    let place = Place::with_config("[reply]\ntext = 'code {code} for {sender}'");
    let done = place.run(&["admit", "mybot", "u1"]);
    assert_eq!((done.code, done.out.len(), done.err.as_str()), (10, "code ABCD2345 for u1\n".len(), ""));
    assert!(done.out.starts_with("code ") && done.out.ends_with(" for u1\n"), "{}", done.out);
}

#[test]
fn three_wait_and_the_fourth_is_ignored() {
    let place = Place::new();
    for sender in ["1", "2", "3"] {
        place.code(&format!("telegram {sender}"));
    }
    assert_eq!(place.verdict("telegram 4"), "ignore pending_full");
    assert_eq!(place.verdict("signal +4915112345678"), "challenge pairing_required");
}

#[test]
fn admission_is_under_the_configuration_of_run() {
    let place = Place::with_config(
        "[channels.telegram]\ndm_policy = 'allowlist'\nallow_from = [5]\n\
         [channels.telegram.accounts.open]\ndm_policy = 'open'\nallow_from = ['*']\n\
         [channels.mybot]\nadapter = 'none'\ndm_policy = 'disabled'",
    );
    assert_eq!(place.verdict("telegram 5"), "admit allowlisted");
    assert_eq!(place.verdict("telegram 6"), "ignore not_allowlisted");
    assert_eq!(place.verdict("telegram 6 --account open"), "admit open");
    assert_eq!(place.verdict("telegram 5 --account other"), "ignore not_allowlisted");
    assert_eq!(place.verdict("mybot u1"), "ignore disabled");
}

#[test]
fn i15_an_id_that_is_none_is_refused_and_nothing_is_stripped() {
    let place = Place::new();
    let long = "x".repeat(257);
    for sender in ["@alice", "tg:5", "*", "", " 5", "5\u{1b}[2J", "\u{202e}5", "-", &long] {
        let said = place.fails_with(2, &["admit", "telegram", "--", sender]);
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
    place.fails_with(2, &["admit", "mybot", &long]);
    assert_eq!(place.verdict(&format!("mybot {}", "x".repeat(256))), "challenge pairing_required");
    for account in ["../x", "a/b", "", "..", "ü", &"x".repeat(65)] {
        place.fails_with(2, &["admit", "telegram", "5", "--account", account]);
    }
    for channel in ["", "../telegram", "tele gram", "1"] {
        place.fails_with(2, &["admit", channel, "5"]);
    }
    assert!(
        place.fails_with(1, &["admit", "nextcloud", "5", "--account", "talk"]).contains("share its file")
    );
}

#[test]
fn i7_what_can_not_be_trusted_is_unavailable() {
    let place = Place::new();
    place.ok("allow add telegram 5");
    std::fs::write(place.state().join("credentials/telegram-allowFrom.json"), "{").unwrap();
    let done = place.run(&["admit", "telegram", "5", "--json"]);
    assert_eq!(done.code, 12, "{done:?}");
    assert_eq!(done.out, "{\"decision\":\"unavailable\",\"reason\":\"store_unreadable\"}\n");
    assert!(done.err.contains("telegram-allowFrom.json") && done.err.lines().count() == 1, "{}", done.err);
    assert_eq!(place.verdict("signal +4915112345678"), "challenge pairing_required", "others go on");
}

#[test]
fn a_state_directory_that_others_may_write_is_unavailable() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.ok("allow add telegram 5");
    std::fs::set_permissions(place.state(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let done = place.run(&["admit", "telegram", "5", "--json"]);
    assert_eq!((done.code, done.err.lines().count()), (12, 1), "{done:?}");
}
