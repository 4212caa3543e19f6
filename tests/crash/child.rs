//! This program once more, as a process that may die.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the test `name` of this program in a process of its own, with `settings` in its environment.
pub(crate) fn command(name: &str, state: &Path, settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env("DMGATE_TEST_STATE", state);
    command.envs(settings.iter().map(|(key, value)| (*key, value.as_str())));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(name: &str, state: &Path, settings: &[(&str, String)]) -> Output {
    command(name, state, settings).output().unwrap()
}

/// Runs a test of this program as root of a world of its own: what its shell mounts or forbids there first, with `$STATE`
/// as the directory to work in, is nothing to anybody else. Where the system allows no such thing, it is said aloud.
pub(crate) fn run_apart(name: &str, state: &Path, before: &str) {
    let apart = |script: &str| {
        let mut command = Command::new("unshare");
        // What it starts ends with it.
        command.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"]);
        command.args(["sh", "-ec", script]);
        command
    };
    let allowed = apart("mount -t tmpfs none /mnt").output();
    if !allowed.as_ref().is_ok_and(|output| output.status.success()) {
        return skipped(&format!("{name}: no namespaces here: {allowed:?}"));
    }
    let mut command = apart(&format!("{before}\nexec \"$0\" \"$@\""));
    command.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
    let output = command.env("DMGATE_TEST_STATE", state).env("STATE", state).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("1 passed"), "{name}: {}", said(&output.stdout));
}

/// Says aloud that a test can't be done here: past its own capture, and `tests/all.sh` counts it.
pub(crate) fn skipped(why: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("SKIPPED: {why}\n").as_bytes());
}

/// Where to work, in a process that was started so; `None` in the program itself, where the test has nothing to do.
pub(crate) fn state() -> Option<std::path::PathBuf> {
    std::env::var_os("DMGATE_TEST_STATE").map(Into::into)
}

pub(crate) fn setting(name: &str) -> usize {
    std::env::var(name).unwrap().parse().unwrap()
}
