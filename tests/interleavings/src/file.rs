//! The file store's protocols: which revision covers a change, and who works off the knocks.

pub mod changes;
pub mod kernel;
pub mod knocks;

#[path = "../../../src/store/file/freshness.rs"]
mod freshness;
#[path = "../../../src/store/file/queue.rs"]
mod queue;

mod disk {
    pub use super::kernel::{Dir, DirError};
}

mod watch {
    pub use super::kernel::{Changes, Lane, Peek, Watch, WatchError};
}
