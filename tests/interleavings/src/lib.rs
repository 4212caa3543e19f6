//! The protocols between threads, in every interleaving that [loom](https://docs.rs/loom) finds.
//!
//! What is played is the very source that ships: `freshness.rs`, `queue.rs`, `account.rs` and `recent.rs` are taken in by
//! their paths. They get loom's atomics and locks for the standard ones, and stand-ins for what is around them: the kernel
//! with its event queues, tokio, arc-swap, and the words of the domain, as far as they are said there. Each model is a
//! function here; `tests/models.rs` plays them all.
#![cfg(feature = "loom")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::unimplemented,
    missing_docs,
    reason = "tests"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the sources are played in part, the stand-ins have what they name"
)]

// What the sources take from tokio is in `sync`, and in `tokio`.
extern crate self as tokio;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub mod file;
pub mod gate;
mod sync;
mod words;

#[path = "tokio.rs"]
mod stand_in;

pub use stand_in::{io, runtime, task, time};
pub use words::{allowlist, clock, decision, message, observe, pairing, policy, store};

/// Plays a model in every order in which its threads are interrupted at most so many times.
fn play(interruptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    let interruptions = *builder.preemption_bound.get_or_insert(interruptions);
    let orders = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} orders with up to {interruptions} interruptions", orders.load(Ordering::Relaxed));
}
