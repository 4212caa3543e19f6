//! What a decision costs, where that can be counted: allocations, system calls, writes; and what a wrong code costs.
//!
//! What can only be measured is in `benches/`, and so are the scenes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod allocations;
#[path = "../../benches/instructions/callgrind.rs"]
mod callgrind;
mod compared;
mod flood;
#[path = "../../benches/bars/scene.rs"]
mod scene;
#[path = "../../benches/bars/steps.rs"]
mod steps;
#[path = "../../benches/bars/system_calls.rs"]
mod system_calls;
mod traced;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: writes are counted for the whole process.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
