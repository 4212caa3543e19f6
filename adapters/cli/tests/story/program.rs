//! The program under test: one `dmgate run`, and the owner's commands beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dmgate_test_peers::Process;
use serde_json::Value;

/// A state directory, and what runs in it.
pub(crate) struct Program {
    dir: tempfile::TempDir,
    running: Option<Process>,
}

/// What a command of the owner printed, and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// A fresh state directory with this configuration; an empty one is none at all.
    pub(crate) fn configured(configuration: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = Self { dir, running: None };
        if !configuration.is_empty() {
            std::fs::create_dir(program.state()).unwrap();
            std::fs::write(program.state().join("dmgate.toml"), configuration).unwrap();
        }
        program
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Starts `dmgate run`, and waits until each of `channels` receives.
    pub(crate) fn run(&mut self, channels: &[&str]) {
        self.run_with(channels, &[]);
    }

    /// As [`Program::run`], with an environment.
    pub(crate) fn run_with(&mut self, channels: &[&str], environment: &[(&str, &str)]) {
        let mut command = self.command(&["run"]);
        command.envs(environment.iter().copied());
        let mut running = Process::spawn("dmgate run", &mut command);
        let mut awaited: Vec<_> = channels.iter().collect();
        while !awaited.is_empty() {
            let line = running.await_line(|line| line.contains("listening") || line.contains("receiving"));
            awaited.retain(|channel| match **channel {
                "webchat" => !line.contains("listening"),
                // It says `not receiving` with a reason.
                channel => line.contains("not receiving") || !line.contains(&format!("account={channel}:")),
            });
        }
        self.running = Some(running);
    }

    /// Waits until the running program prints such a line.
    pub(crate) fn await_line(&mut self, wanted: impl Fn(&str) -> bool) {
        self.running.as_mut().unwrap().await_line(wanted);
    }

    /// Ends the running program as the owner would, and waits for its end.
    pub(crate) fn end(&mut self) {
        let running = self.running.as_mut().unwrap();
        let pid = rustix::process::Pid::from_raw(running.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        running.await_line(|line| line.contains("ended"));
        self.running = None;
    }

    /// One command of the owner.
    pub(crate) fn owner(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// One command of the owner that must succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let said = self.owner(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.stdout, said.stderr);
        said.stdout
    }

    /// The pending requests of a channel.
    pub(crate) fn pending(&self, channel: &str) -> Vec<Value> {
        let text = self.done(&["pairing", "list", "--json", channel]);
        let list: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(list["channel"], channel);
        list["requests"].as_array().unwrap().clone()
    }

    /// The only pending request of a channel: its sender and its code.
    pub(crate) fn only_pending(&self, channel: &str) -> (String, String) {
        let pending = self.pending(channel);
        assert_eq!(pending.len(), 1, "{pending:?}");
        let text = |key: &str| pending[0][key].as_str().unwrap().to_owned();
        (text("id"), text("code"))
    }

    /// Why a sender is in or not, as one word.
    pub(crate) fn reason(&self, channel: &str, sender: &str) -> String {
        let said = self.owner(&["explain", "--json", channel, sender]);
        let explained: Value = serde_json::from_str(&said.stdout).unwrap();
        explained["reason"].as_str().unwrap().to_owned()
    }

    /// A command of the owner, to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmgate"));
        command.arg("--state-dir").arg(self.state()).args(arguments).env_clear();
        // Where a program that the configuration names is looked for.
        let here = if self.state().exists() { self.state() } else { self.dir.path().to_owned() };
        command.current_dir(here);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.dir.path());
        command
    }
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The code in a pairing message.
pub(crate) fn code_in(text: &str) -> String {
    let is_code =
        |word: &&str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    text.split_whitespace().find(is_code).unwrap_or_else(|| panic!("no code in: {text}")).to_owned()
}

/// A secret in a file, as the configuration names one.
pub(crate) fn secret_file(dir: &Path, name: &str, secret: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, secret).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}
