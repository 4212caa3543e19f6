//! The stores, and what every store must keep.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod freshness;
mod suite;
