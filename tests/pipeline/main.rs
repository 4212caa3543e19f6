//! Adapters, gate, agent and store together, with a mocked adapter and time under control.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod codes;
mod ending;
mod notices;
mod owner;
mod permits;
mod strangers;
mod support;
mod trouble;
mod turns;
