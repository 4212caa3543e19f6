//! The program `dmgate`, run as people run it: what is typed, what is printed, how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that can't go on must fail, and damage is done by hand"
)]

mod admission;
mod agent;
mod approval;
mod configuration;
mod devices;
mod doctor;
mod explanation;
mod help;
mod listing;
mod nodes;
mod place;
mod remote;
mod running;
mod senders;
mod setup;
mod storage;
mod visitor;
