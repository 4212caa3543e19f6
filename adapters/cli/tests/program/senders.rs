//! `dmgate allow` and `dmgate block`.

use crate::place::Place;

#[test]
fn a_sender_is_added_listed_and_removed() {
    let place = Place::new();
    assert_eq!(place.ok("allow add telegram tg:5"), "Added telegram sender 5.\n");
    assert_eq!(place.ok("allow add telegram 5"), "telegram sender 5 was allowed already.\n");
    assert_eq!(place.ok("allow list telegram"), "5\n");
    assert_eq!(
        place.ok("allow list telegram --json"),
        "{\n  \"channel\": \"telegram\",\n  \"accountId\": \"default\",\n  \"policy\": \"pairing\",\n  \
         \"approved\": [\n    \"5\"\n  ],\n  \"configured\": []\n}\n"
    );
    assert_eq!(place.verdict("telegram 5"), "admit allowlisted");
    assert_eq!(place.ok("allow remove telegram 5"), "Removed telegram sender 5.\n");
    assert_eq!(place.verdict("telegram 5"), "challenge pairing_required");
    assert!(place.fails(1, "allow remove telegram 6").contains("not on the list"));
    assert_eq!(place.ok("allow list signal"), "Nobody is allowed on signal:default yet.\n");
}

#[test]
fn accounts_are_apart() {
    let place = Place::new();
    place.ok("allow add telegram 5 --account work");
    assert_eq!(place.ok("allow list telegram"), "Nobody is allowed on telegram:default yet.\n");
    assert_eq!(place.ok("allow list telegram --account work"), "5\n");
}

#[test]
fn a_star_is_never_stored() {
    let place = Place::new();
    for words in [["allow", "add", "telegram", "*"], ["allow", "add", "mybot", " * "]] {
        let said = place.fails_with(1, &words);
        assert!(said.contains("dm_policy = \"open\""), "{said}");
    }
    assert!(!place.state().exists());
}

#[test]
fn an_approval_that_does_not_count_is_told() {
    let place = Place::with_config(
        "[channels.telegram]\ndm_policy = 'allowlist'\n[channels.telegram.accounts.off]\ndm_policy = 'disabled'",
    );
    let done = place.run(&["allow", "add", "telegram", "5"]);
    assert_eq!((done.code, done.out.as_str()), (0, "Added telegram sender 5.\n"));
    assert!(done.err.contains("do not count") && done.err.contains("allow_from"), "{}", done.err);
    let done = place.run(&["allow", "add", "telegram", "5", "--account", "off"]);
    assert!(done.err.contains("`disabled`"), "{}", done.err);
}

#[test]
fn a_removal_fails_loudly_if_the_configuration_still_lets_in() {
    let place = Place::with_config(
        "[channels.telegram]\nallow_from = [5]\n[channels.telegram.accounts.open]\n\
         dm_policy = 'open'\nallow_from = ['*']",
    );
    place.ok("allow add telegram 5");
    let done = place.run(&["allow", "remove", "telegram", "5"]);
    assert_eq!((done.code, done.out.as_str()), (1, "Removed telegram sender 5.\n"));
    assert!(done.err.contains("still let in") && done.err.contains("dmgate.toml:2"), "{}", done.err);
    let said = place.fails(1, "allow remove telegram 6 --account open");
    assert!(
        said.contains("`*` at") && said.contains("dmgate.toml:5") && said.contains("block add"),
        "{said}"
    );
}

#[test]
fn removing_clears_pending_too() {
    let place = Place::new();
    place.code("telegram 5");
    assert_eq!(place.ok("allow remove telegram 5"), "Removed telegram sender 5.\n");
    assert_eq!(place.ok("pairing list"), "No pending pairing requests.\n");
    assert_eq!(place.verdict("telegram 5"), "ignore hour_used");
}

#[test]
fn blocking_frees_the_slot_and_beats_everything() {
    let place = Place::new();
    for sender in ["1", "2", "3"] {
        place.code(&format!("telegram {sender}"));
    }
    assert_eq!(place.verdict("telegram 4"), "ignore pending_full");
    assert_eq!(place.ok("block add telegram 1"), "Blocked telegram sender 1.\n");
    assert_eq!(place.ok("block add telegram 1"), "telegram sender 1 was blocked already.\n");
    assert_eq!(place.verdict("telegram 1"), "ignore blocked");
    assert_eq!(place.verdict("telegram 4"), "challenge pairing_required");
    assert!(place.fails(1, "allow add telegram 1").contains("block remove"));
    assert_eq!(
        place.ok("block list telegram --json"),
        "{\n  \"channel\": \"telegram\",\n  \"accountId\": \"default\",\n  \"blocked\": [\n    \"1\"\n  ]\n}\n"
    );
    assert_eq!(place.ok("block remove telegram 1"), "Unblocked telegram sender 1.\n");
    assert!(place.fails(1, "block remove telegram 1").contains("not blocked"));
    assert_eq!(place.ok("block list telegram"), "Nobody is blocked on telegram:default.\n");
    place.ok("allow add telegram 1");
}

#[test]
fn ids_are_checked() {
    let place = Place::new();
    for words in [
        ["allow", "add", "telegram", "@alice"],
        ["allow", "remove", "telegram", "@alice"],
        ["block", "add", "telegram", "a\nb"],
        ["block", "remove", "irc", "nick"],
        ["allow", "add", "../x", "5"],
    ] {
        place.fails_with(2, &words);
    }
    place.fails_with(2, &["allow", "list", "telegram", "--account", "../x"]);
    assert!(!place.home().join("x").exists());
}

#[test]
fn there_is_nothing_to_list_without_a_state_directory() {
    let place = Place::new();
    for line in ["pairing list", "allow list telegram", "block list telegram", "pairing approve ABCD2345"] {
        assert!(place.fails(3, line).contains("`dmgate run` makes it"), "{line}");
    }
    assert!(!place.state().exists());
}
