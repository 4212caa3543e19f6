//! Writes of this process, counted where they happen.

use std::sync::atomic::{AtomicUsize, Ordering};

use dmgate::testing::{Step, on_every_thread};

static REPLACES: AtomicUsize = AtomicUsize::new(0);
static APPENDS: AtomicUsize = AtomicUsize::new(0);

/// How many there were until now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) replaces: usize,
    pub(crate) appends: usize,
}

impl Steps {
    /// Counts from here on.
    pub(crate) fn count() {
        on_every_thread(|step| {
            match step {
                Step::Rename => REPLACES.fetch_add(1, Ordering::SeqCst),
                Step::Append => APPENDS.fetch_add(1, Ordering::SeqCst),
                _ => 0,
            };
            None
        });
    }

    pub(crate) fn now() -> Self {
        Self { replaces: REPLACES.load(Ordering::SeqCst), appends: APPENDS.load(Ordering::SeqCst) }
    }
}

impl std::ops::Sub for Steps {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { replaces: self.replaces - earlier.replaces, appends: self.appends - earlier.appends }
    }
}
