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

/// Where to work, in a process that was started so; `None` in the program itself, where the test has nothing to do.
pub(crate) fn state() -> Option<std::path::PathBuf> {
    std::env::var_os("DMGATE_TEST_STATE").map(Into::into)
}

pub(crate) fn setting(name: &str) -> usize {
    std::env::var(name).unwrap().parse().unwrap()
}
