//! What threads share, where an order of steps decides what is right. `tests/interleavings` takes in the files that name
//! these, and plays them with atomics and locks of its own.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError, atomic};
pub(crate) use std::thread_local;

pub(crate) use arc_swap::{ArcSwap, ArcSwapOption};
