//! What must hold of whatever comes in: one module a target, each with a `check` that panics where it does not.
//!
//! `targets/` hands these to libFuzzer (`tests/long.sh fuzz`), `tests/corpus` plays the corpus and mutations of it with
//! the stable toolchain. `corpus/` is written by hand; what libFuzzer finds is kept outside of the repository, and what
//! it found wrong becomes a file in `corpus/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod plain;
mod scene;

// The naive model of `tests/model`, and the player that compares the stores with it.
#[path = "../../tests/model/neighbour.rs"]
mod neighbour;
#[path = "../../tests/model/operation.rs"]
#[allow(dead_code, missing_docs, reason = "its random histories are the model test's")]
mod operation;
#[path = "../../tests/model/play.rs"]
#[allow(dead_code, reason = "the model that forgets is the model test's")]
mod play;
#[path = "../../tests/model/rules.rs"]
mod rules;

pub mod allow;
pub mod arguments;
pub mod audit;
pub mod configuration;
pub mod devices;
pub mod frames;
pub mod ids;
pub mod irc;
pub mod operations;
pub mod pending;
pub mod record;
pub mod setup;
pub mod telegram;
pub mod webchat;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 14] = [
    ("allow", allow::check),
    ("arguments", arguments::check),
    ("audit", audit::check),
    ("configuration", configuration::check),
    ("devices", devices::check),
    ("frames", frames::check),
    ("ids", ids::check),
    ("irc", irc::check),
    ("operations", operations::check),
    ("pending", pending::check),
    ("record", record::check),
    ("setup", setup::check),
    ("telegram", telegram::check),
    ("webchat", webchat::check),
];
