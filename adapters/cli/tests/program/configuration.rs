//! The configuration, as the owner meets it.

use crate::place::Place;

#[test]
fn show_says_what_is_in_force_and_why() {
    let place = Place::with_config("[channels.telegram]\ntoken = 'hush'\nallow_from = [5]\n");
    let done = place.run_with(&["config", "show"], &[("DMGATE_LIMITS__PENDING_MAX", "7")]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(!done.out.contains("hush"), "{}", done.out);
    let line = |key: &str| done.out.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("limits.pending_max = 7 ").ends_with("# DMGATE_LIMITS__PENDING_MAX"));
    assert!(line("limits.code_ttl = \"1h\"").ends_with("# default"));
    let token = line("channels.telegram.token = ********");
    assert!(token.ends_with(&format!("# {}:2", place.config().display())), "{token}");
    assert!(line("channels.telegram.allow_from = [\"5\"]").ends_with(":3"));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&place.ok("config show --json")).unwrap();
    assert!(
        rows.iter().all(|row| row["key"].is_string() && row["value"].is_string() && row["from"].is_string())
    );
}

#[test]
fn the_contract_tells_every_key() {
    let surface = include_str!("../../../../docs/SURFACE.md");
    let told = surface.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let shown = Place::with_config(told).ok("config show");
    // A key that it does not tell has its default. `dmgate channels` tells those of the channels.
    let untold = shown.lines().filter(|line| line.ends_with("# default") && !line.starts_with("channels."));
    assert_eq!(untold.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_bad_configuration_stops_every_command_with_one_line() {
    let place = Place::with_config("[channels.telegram]\n\ndm_polcy = 'open'\n");
    for line in ["config show", "run", "pairing list", "admit telegram 5", "allow list telegram", "channels"]
    {
        let said = place.fails(2, line);
        let expected = format!(
            "dmgate: {}:3: unknown key `channels.telegram.dm_polcy`; did you mean `dm_policy`?\n",
            place.config().display()
        );
        assert_eq!(said, expected, "{line}");
    }
    place.configure("[channels.telegram]\ndm_policy = ''");
    assert!(place.fails(2, "run").contains("choose `pairing`, `allowlist`, `open` or `disabled`"));
    assert!(!place.state().join("credentials").exists());
}

#[test]
fn it_may_be_elsewhere() {
    let place = Place::with_config("[channels.telegram]\ndm_policy = 'disabled'");
    let other = place.home().join("other.toml");
    std::fs::rename(place.config(), &other).unwrap();
    let other = other.to_str().unwrap();
    assert_eq!(place.verdict(&format!("telegram 5 --config {other}")), "ignore disabled");
    let done = place.run_with(&["admit", "telegram", "5"], &[("DMGATE_CONFIG", other)]);
    assert_eq!(done.out, "ignore (disabled)\n");
    assert!(place.fails(2, "config show --config /no/such/file").contains("there is no configuration"));
    assert!(place.fails(2, "config show --config /").contains("is not a file"));
}

#[test]
fn the_state_directory_may_be_elsewhere() {
    let place = Place::new();
    let dir = place.home().join("elsewhere");
    let dir = dir.to_str().unwrap();
    place.ok(&format!("--state-dir {dir} allow add telegram 5"));
    let done = place.run_with(&["allow", "list", "telegram"], &[("DMGATE_STATE_DIR", dir)]);
    assert_eq!(done.out, "5\n");
    assert!(!place.state().exists());
    let mut homeless = place.program();
    let output = homeless.env_remove("HOME").args(["pairing", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--state-dir"));
}

#[test]
fn i7_a_configuration_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_config("");
    std::fs::set_permissions(place.config(), std::fs::Permissions::from_mode(0o622)).unwrap();
    assert!(place.fails(2, "config show").contains("chmod go-w"));
}

#[test]
fn i7_a_configuration_that_is_meant_and_not_there_is_no_default_one() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::with_config("");
    std::fs::remove_file(place.config()).unwrap();
    std::os::unix::fs::symlink(place.home().join("missing.toml"), place.config()).unwrap();
    assert!(place.fails(2, "admit telegram 5").contains("a link that leads nowhere"));
    for variable in ["DMGATE_CONFIG", "DMGATE_STATE_DIR"] {
        let mut program = place.program();
        program.args(["allow", "list", "telegram"]);
        let output = program.env(variable, std::ffi::OsStr::from_bytes(b"/no/such/\xff")).output().unwrap();
        assert!(!output.status.success(), "{variable}: {output:?}");
    }
}

#[test]
fn secrets_are_asked_for_by_run_only() {
    let place =
        Place::with_config("[channels.telegram]\ntoken_env = 'NOT_SET'\n[gateway]\nlisten = '127.0.0.1:0'");
    place.ok("config show");
    let said = place.fails(2, "run");
    assert!(said.contains("NOT_SET is not set") && said.contains("dmgate.toml:2"), "{said}");
    let doctor = place.run(&["doctor"]);
    assert!(doctor.out.contains("NOT_SET is not set"), "{}", doctor.out);
}

#[test]
fn a_directory_that_openclaw_uses_is_shared() {
    let place = Place::with_config("");
    std::fs::write(place.state().join("openclaw.json"), "{}").unwrap();
    assert!(place.ok("config show").contains("store.shared_with_openclaw = true"));
    place.configure("[limits]\npending_max = 5");
    assert!(place.fails(2, "pairing list").contains("shared with OpenClaw"));
    place.configure("[limits]\npending_max = 5\n[store]\nshared_with_openclaw = false");
    place.ok("pairing list");
}
