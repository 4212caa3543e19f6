//! Processes that work on one state directory at the same time, while they are killed, while the power fails, and while
//! one waits for what the other just did.
//!
//! They are this program once more. How long each test goes on is set by `DMGATE_KILLS` (25), `DMGATE_POWER_CUTS` (5)
//! and `DMGATE_HANDSHAKES` (500); `tests/long.sh` has the long forms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "../crash/child.rs"]
mod child;
mod crew;
mod devices;
mod handshakes;
mod kills;
mod ledger;
mod power;
mod worker;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: a process that another one is just starting would keep a file system from being unmounted.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many rounds a test goes, unless the environment says otherwise.
fn rounds(name: &str, short: usize) -> usize {
    std::env::var(name).map_or(short, |many| many.parse().unwrap())
}

/// A directory in memory where there is one.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
