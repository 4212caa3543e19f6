//! The gate's decisions, on every store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod aliases;
mod clocks;
mod codes;
mod corruption;
mod damage;
mod findings;
mod freshness;
mod groups;
mod isolation;
mod lists;
mod order;
mod policy;
mod scene;
