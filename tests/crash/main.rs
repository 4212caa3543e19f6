//! The file store at each step of each transaction: when the disk fails, when the process dies, when others come between.
//!
//! Faults are armed for a whole process, so these tests take turns; what dies does so in a process of its own, which is
//! this program once more (see `child`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

mod between;
mod cancel;
mod child;
mod crowd;
mod deed;
mod devices;
mod durable;
mod machine;
mod steps;
mod stopped;
mod synced;
#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "../../benches/bars/system_calls.rs"]
mod system_calls;

use std::sync::{Mutex, MutexGuard, PoisonError};

use dmgate::testing::{Fault, Step, on_every_thread};

/// A directory in memory where there is one: what is lost with the power is not the question here.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// One thread for all that blocks: what was handed to it is over when something that was handed to it later is.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap()
}

/// One test at a time: a fault that one arms would hit the others.
static TURN: Mutex<()> = Mutex::new(());

/// Faults of the whole process, until this is dropped.
struct Faults(#[expect(dead_code, reason = "held until the end")] MutexGuard<'static, ()>);

impl Faults {
    fn turn() -> Self {
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn arm(&self, hook: impl Fn(Step) -> Option<Fault> + Send + Sync + 'static) {
        on_every_thread(hook);
    }

    fn disarm(&self) {
        on_every_thread(|_| None);
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.disarm();
    }
}
