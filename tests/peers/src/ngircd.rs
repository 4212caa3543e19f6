//! ngIRCd: a plain IRC network without accounts.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::{Process, free_port, loopback, program, scratch_dir};

/// A running ngIRCd. It offers no capability but `multi-prefix`, so senders have a mask and nothing better.
#[derive(Debug)]
pub struct Ngircd {
    /// Where clients connect, without TLS.
    pub addr: SocketAddr,
    _process: Process,
    _dir: TempDir,
}

impl Ngircd {
    /// Starts the server.
    pub fn start() -> Self {
        let program = program("ngircd");
        let dir = scratch_dir();
        let addr = loopback(free_port());
        let config = dir.path().join("ngircd.conf");
        fs::write(&config, configuration(addr)).expect("ngircd's configuration");
        let mut process = Process::spawn("ngircd", Command::new(program).arg("-n").arg("-f").arg(config));
        process.await_line(|line| line.ends_with("ready."));
        Self { addr, _process: process, _dir: dir }
    }
}

fn configuration(addr: SocketAddr) -> String {
    // No limit on connections, no penalties and no look-ups, so that a test's many clients are let in and
    // heard at once.
    format!(
        "[Global]
Name = irc.peers.test
Info = test peer
AdminEMail = peers@peers.test
Listen = {ip}
Ports = {port}
MotdPhrase = test peer

[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxNickLength = 30
MaxPenaltyTime = 0

[Options]
DNS = no
Ident = no
PAM = no
",
        ip = addr.ip(),
        port = addr.port()
    )
}
