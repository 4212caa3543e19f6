//! Help, completions, man pages, wrong usage.

use crate::place::Place;

/// Every command, with the words that lead to it.
const COMMANDS: &[&[&str]] = &[
    &["run"],
    &["pairing"],
    &["pairing", "list"],
    &["pairing", "approve"],
    &["pairing", "reject"],
    &["allow"],
    &["allow", "list"],
    &["allow", "add"],
    &["allow", "remove"],
    &["block"],
    &["block", "list"],
    &["block", "add"],
    &["block", "remove"],
    &["devices"],
    &["devices", "list"],
    &["devices", "approve"],
    &["devices", "reject"],
    &["devices", "remove"],
    &["devices", "clear"],
    &["devices", "rotate"],
    &["devices", "revoke"],
    &["nodes"],
    &["nodes", "list"],
    &["nodes", "pending"],
    &["nodes", "approve"],
    &["nodes", "reject"],
    &["nodes", "rename"],
    &["qr"],
    &["admit"],
    &["explain"],
    &["doctor"],
    &["channels"],
    &["channels", "login"],
    &["config"],
    &["config", "show"],
    &["completions"],
    &["man"],
];

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for words in COMMANDS {
        let done = place.run(&[words, &["--help"][..]].concat());
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{words:?}");
        let example = format!("dmgate {}", words.join(" "));
        let (_, examples) =
            done.out.split_once("Example").unwrap_or_else(|| panic!("{words:?}: {}", done.out));
        assert!(examples.contains(&example), "{words:?}: {examples}");
    }
    assert!(place.ok("--help").contains("Exit codes"));
    assert!(place.ok("--version").starts_with("dmgate "));
}

#[test]
fn without_a_command_help_is_shown() {
    let done = Place::new().run(&[]);
    assert_eq!((done.code, done.err.as_str()), (2, ""));
    assert!(done.out.contains("dmgate run") && done.out.contains("pairing"), "{}", done.out);
}

#[test]
fn wrong_usage_is_one_line() {
    let place = Place::new();
    for line in [
        "nonsense",
        "pairing nonsense",
        "admit",
        "admit telegram",
        "allow add telegram",
        "pairing list --nonsense",
        "run --log-level loud",
        "completions nonsense",
        "admit telegram -5",
        "devices approve x --latest",
        "devices remove",
        "devices rotate --device 402e48bc",
        "nodes rename --node x",
        "devices list --token x",
        "devices list --url ws://127.0.0.1:1 --token x --password y",
        "devices list --url ws://127.0.0.1:1 --token x --timeout 0",
        "qr --setup-code-only --json",
    ] {
        assert!(place.fails(2, line).contains("--help"), "{line}");
    }
    assert!(!place.fails(2, "\u{1b}[2J").contains('\u{1b}'), "what was typed is not played back");
    assert!(place.fails(2, "pairing lst").contains("'list'"), "the nearest command is named");
    assert!(place.run_with(&["run"], &[("DMGATE_LOG", "loud")]).err.contains("DMGATE_LOG"));
}

#[test]
fn ids_that_begin_with_a_dash_go_after_two() {
    let place = Place::new();
    assert_eq!(place.ok("allow add mybot -- -100"), "Added mybot sender -100.\n");
}

#[test]
fn shells_and_man_are_served() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.ok(&format!("completions {shell}")).contains("dmgate"), "{shell}");
    }
    let dir = place.home().join("man1");
    place.ok(&format!("man {}", dir.display()));
    assert!(dir.join("dmgate.1").exists() && dir.join("dmgate-pairing-approve.1").exists());
}

#[test]
fn channels_say_what_they_need() {
    let place = Place::with_config("[channels.telegram]\ntoken = 'x'\n[channels.telegram.accounts.work]\n");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&place.ok("channels --json")).unwrap();
    let telegram = rows.iter().find(|row| row["channel"] == "telegram").unwrap();
    assert_eq!(telegram["needs"], serde_json::json!(["token"]));
    assert_eq!(telegram["accounts"], serde_json::json!(["default", "work"]));
    assert_eq!(telegram["direction"], "out or in");
    assert_eq!(telegram["features"], serde_json::json!(["attachments", "typing"]));
    let needs = |channel: &str| rows.iter().find(|row| row["channel"] == channel).unwrap()["needs"].clone();
    assert_eq!(needs("slack"), serde_json::json!(["bot_token", "app_token"]));
    assert_eq!(
        needs("line"),
        serde_json::json!(["channel_secret", "channel_access_token", "gateway.public_url"])
    );
    assert!(place.ok("channels").starts_with("CHANNEL "));
    let options = place.ok("channels telegram");
    assert!(options.lines().any(|line| line.starts_with("token ") && line.contains("needed")), "{options}");
    let options = place.ok("channels slack");
    let app_token = options.lines().find(|line| line.starts_with("app_token ")).unwrap();
    assert!(app_token.contains("needed by default"), "{options}");
    assert!(place.ok("channels webchat").contains("no options"));
    assert!(place.fails(1, "channels telegarm").contains("`dmgate channels`"));
}

#[test]
fn only_channels_that_have_one_have_a_login() {
    let place = Place::with_config("[channels.telegram]\ntoken = 'x'\n");
    assert!(place.fails(1, "channels login telegram").contains("configuration"));
    assert!(place.fails(1, "channels login mybot").contains("`dmgate channels`"));
    assert!(place.fails(2, "channels login telegram --account ../x").contains("account"));
    assert!(place.fails(2, "channels telegram login").contains("--help"));
}
