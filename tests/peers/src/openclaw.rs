//! OpenClaw, the established program that shares dmgate's files: its command line, its store and its lock.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Process, free_port, node, npm_package, own_file, peers_dir, scratch_dir};

/// OpenClaw at work on one state directory.
#[derive(Debug)]
pub struct OpenClaw {
    state_dir: PathBuf,
    home: TempDir,
    package: PathBuf,
}

impl OpenClaw {
    /// OpenClaw with `state_dir` as its state directory; the pairing files are in `credentials` below it.
    pub fn at(state_dir: impl Into<PathBuf>) -> Self {
        Self { state_dir: state_dir.into(), home: scratch_dir(), package: npm_package("openclaw") }
    }

    /// The directory with the pairing files.
    pub fn credentials(&self) -> PathBuf {
        self.state_dir.join("credentials")
    }

    /// Runs its command line (about two seconds) to the end.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&self.package.join("openclaw.mjs"));
        command.args(arguments).output().unwrap_or_else(|error| panic!("openclaw does not start: {error}"))
    }

    /// `openclaw pairing list`: the pending requests of a channel, as they are on disk.
    pub fn pairing_list(&self, channel: &str) -> Vec<Value> {
        let output = self.cli(&["pairing", "list", channel, "--json"]);
        assert!(output.status.success(), "pairing list: {}", String::from_utf8_lossy(&output.stderr));
        let list: Value = serde_json::from_slice(&output.stdout).expect("pairing list prints JSON");
        list["requests"].as_array().expect("pairing list prints requests").clone()
    }

    /// `openclaw pairing approve`: what it prints, on success or on failure.
    pub fn pairing_approve(&self, channel: &str, code: &str) -> Result<String, String> {
        let output = self.cli(&["pairing", "approve", channel, code]);
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// `openclaw node run`: its headless node, which connects to a gateway of this machine. What it shows is `token`, or
    /// what it was given before.
    pub fn node(&self, port: u16, token: Option<&str>) -> Process {
        let mut command = self.command(&self.package.join("openclaw.mjs"));
        command.args(["node", "run", "--host", "127.0.0.1", "--display-name", "attic", "--port"]);
        command.arg(port.to_string()).envs(token.map(|token| ("OPENCLAW_GATEWAY_TOKEN", token)));
        Process::spawn("openclaw node", &mut command)
    }

    /// Its store, in a process of its own, as a running gateway has it.
    pub fn store(&self) -> NeighbourStore {
        let mut command = self.command(&own_file("openclaw-store.mjs"));
        let mut process = Process::spawn("openclaw's store", command.arg(&self.package).arg("serve"));
        answer(&mut process);
        NeighbourStore { process }
    }

    /// Takes its lock of a file and keeps it, in a process of its own.
    pub fn hold_lock(&self, file: &Path) -> HeldLock {
        let mut command = self.command(&own_file("openclaw-store.mjs"));
        let mut process = Process::spawn("openclaw's lock", command.arg(&self.package).arg("hold").arg(file));
        let path = answer(&mut process);
        HeldLock { path: PathBuf::from(path.as_str().expect("a path")), process }
    }

    /// Its gateway, on loopback, which asks for this token.
    pub fn gateway(&self, token: &str) -> NeighbourGateway {
        let port = free_port();
        let mut command = self.command(&self.package.join("openclaw.mjs"));
        command.args(["gateway", "run", "--allow-unconfigured", "--bind", "loopback", "--auth", "token"]);
        command.args(["--token", token, "--port", &port.to_string()]);
        // What it would look for in the network and in the house is no part of this.
        command.envs([("OPENCLAW_SKIP_CHANNELS", "1"), ("OPENCLAW_DISABLE_BONJOUR", "1")]);
        let mut process = Process::spawn("openclaw's gateway", &mut command);
        process.await_line(|line| line.contains("listening on ws://"));
        NeighbourGateway { url: format!("ws://127.0.0.1:{port}"), _process: process }
    }

    fn command(&self, script: &Path) -> Command {
        let mut command = Command::new(node());
        command
            .arg(script)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            // Compiled code is worth keeping from one call to the next: it is a third of the time.
            .env("NODE_COMPILE_CACHE", peers_dir().join("compile-cache"))
            .env("OPENCLAW_STATE_DIR", &self.state_dir)
            .env("NO_COLOR", "1");
        command
    }
}

/// What the store answers to an unknown sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    /// The sender's code; empty when there was no room for one.
    pub code: String,
    /// Whether the request is new.
    pub created: bool,
}

/// OpenClaw's own store functions. Each call waits for its answer; dropping it kills the process.
#[derive(Debug)]
pub struct NeighbourStore {
    process: Process,
}

impl NeighbourStore {
    /// The process that makes the calls.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A sender who is not allowed has written.
    pub fn upsert(&mut self, channel: &str, account: &str, sender: &str) -> Upserted {
        upserted(&self.call("upsert", &json!({ "channel": channel, "accountId": account, "id": sender })))
    }

    /// The pending requests of an account.
    pub fn list(&mut self, channel: &str, account: &str) -> Vec<Value> {
        let requests = self.call("list", &json!({ "channel": channel, "accountId": account }));
        requests.as_array().expect("a list of requests").clone()
    }

    /// Approves a code; gives the sender's id, or nothing when no request has that code.
    pub fn approve(&mut self, channel: &str, code: &str) -> Option<String> {
        let approved = self.call("approve", &json!({ "channel": channel, "code": code }));
        approved["id"].as_str().map(str::to_owned)
    }

    /// The senders allowed on an account.
    pub fn allow_from(&mut self, channel: &str, account: &str) -> Vec<String> {
        let entries = self.call("allowFrom", &json!({ "channel": channel, "accountId": account }));
        serde_json::from_value(entries).expect("a list of entries")
    }

    /// Allows senders on an account, one write after the other.
    pub fn add(&mut self, channel: &str, account: &str, entries: &[&str]) {
        self.call("add", &json!({ "channel": channel, "accountId": account, "entries": entries }));
    }

    /// Takes senders off the list of an account, one write after the other.
    pub fn remove(&mut self, channel: &str, account: &str, entries: &[&str]) {
        self.call("remove", &json!({ "channel": channel, "accountId": account, "entries": entries }));
    }

    /// Calls what its gateway calls for devices and nodes, by its name there.
    pub fn device(&mut self, name: &str, given: &[Value]) -> Value {
        self.call("device", &json!({ "name": name, "given": given }))
    }

    /// Kills the process at whatever it is doing.
    pub fn kill(mut self) {
        self.process.kill();
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Value {
        self.process.write_line(&json!([name, arguments]).to_string());
        answer(&mut self.process)
    }
}

/// OpenClaw's gateway; it ends with this value.
#[derive(Debug)]
pub struct NeighbourGateway {
    /// Where its WebSocket is.
    pub url: String,
    _process: Process,
}

/// A lock that OpenClaw holds.
#[derive(Debug)]
pub struct HeldLock {
    /// The lock file.
    pub path: PathBuf,
    process: Process,
}

impl HeldLock {
    /// The process that holds it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets go in good order.
    pub fn release(self) -> ExitStatus {
        self.process.finish()
    }

    /// Kills the holder, so that the lock file stays behind.
    pub fn kill(mut self) -> PathBuf {
        self.process.kill();
        self.path.clone()
    }
}

fn upserted(answer: &Value) -> Upserted {
    let code = answer["code"].as_str().expect("an upsert answers with a code").to_owned();
    Upserted { code, created: answer["created"] == true }
}

fn answer(process: &mut Process) -> Value {
    let line = process.await_line(|line| line.starts_with("{\"value\":") || line.starts_with("{\"error\":"));
    let mut answer: Value = serde_json::from_str(&line).expect("an answer in JSON");
    assert!(answer.get("error").is_none(), "openclaw: {}", answer["error"]);
    answer["value"].take()
}
