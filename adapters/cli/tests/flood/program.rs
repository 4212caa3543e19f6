//! The program under the flood: a state directory, `dmgate run` in it, and what can be seen of it from outside.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use dmgate_test_peers::{Process, free_port};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::visitor;

pub(crate) struct Program {
    /// Where web hooks and the web chat are.
    pub(crate) address: SocketAddr,
    running: Process,
    dir: tempfile::TempDir,
}

/// The secret of the web hook.
pub(crate) const SECRET: &str = "a_secret-of-the-flood";

/// Sees every touch of the state directory.
pub(crate) struct Watch(OwnedFd);

impl Program {
    /// Runs, with a bot that polls, one with a web hook, and the web chat; the `known` are let in before.
    pub(crate) fn start(polled: SocketAddr, hooked: SocketAddr, known: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let configuration = format!(
            "[gateway]\nlisten = '{address}'\npublic_url = 'http://{address}'\n[channels.webchat]\n\
             [channels.telegram]\ntoken = '111:x'\napi_base = 'http://{polled}'\n\
             [channels.telegram.accounts.hook]\ntoken = '222:x'\napi_base = 'http://{hooked}'\n\
             mode = 'webhook'\nwebhook_secret = '{SECRET}'\n"
        );
        std::fs::create_dir(state(&dir)).unwrap();
        std::fs::write(state(&dir).join("dmgate.toml"), configuration).unwrap();
        let (id, visitor) = (known.to_string(), visitor::id(known));
        for words in [&["telegram", &id][..], &["telegram", &id, "--account", "hook"], &["webchat", &visitor]]
        {
            let done = command(&dir).args(["allow", "add"]).args(words).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        }
        let mut running = Process::spawn("dmgate run", command(&dir).arg("run"));
        for _bot in 0..2 {
            running.await_line(|line| line.contains("receiving"));
        }
        Self { address, running, dir }
    }

    /// Memory of its own, in KiB: what is mapped from files is not.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.running.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor time of its threads so far.
    pub(crate) fn busy(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.running.id())).unwrap();
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse().map(Duration::from_nanos).unwrap()
        };
        tasks.map(of).sum()
    }

    /// Watches its files from now on.
    pub(crate) fn watch(&self) -> Watch {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let queue = inotify::init(flags).unwrap();
        for folder in [state(&self.dir), state(&self.dir).join("credentials")] {
            inotify::add_watch(&queue, folder, inotify::WatchFlags::ALL_EVENTS).unwrap();
        }
        Watch(queue)
    }

    /// Codes that are on record as sent, on a channel.
    pub(crate) fn sent(&self, channel: &str) -> usize {
        let record = state(&self.dir).join(format!("credentials/{channel}-dmgate.jsonl"));
        std::fs::read_to_string(record).unwrap().matches(r#""step":"sent""#).count()
    }

    /// How many wait on a channel.
    pub(crate) fn pending(&self, channel: &str) -> usize {
        let done = command(&self.dir).args(["pairing", "list", "--json", channel]).output().unwrap();
        let list: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        list["requests"].as_array().unwrap().len()
    }
}

impl Watch {
    /// What was done to which files since.
    pub(crate) fn seen(self) -> Vec<String> {
        let mut space = [std::mem::MaybeUninit::uninit(); 4_096];
        let mut events = inotify::Reader::new(&self.0, &mut space);
        let mut seen = Vec::new();
        loop {
            match events.next() {
                Ok(event) => seen.push(format!("{:?} {:?}", event.file_name(), event.events())),
                Err(Errno::AGAIN) => return seen,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn state(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("state")
}

fn command(dir: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgate"));
    command.env_clear().env("HOME", dir.path()).arg("--state-dir").arg(state(dir));
    command
}
