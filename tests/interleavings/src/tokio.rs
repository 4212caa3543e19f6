//! What the sources take from tokio beside `tokio::sync`: tasks are threads here, nobody waits for the clock, and a
//! descriptor is a queue of the played kernel.

pub mod runtime {
    /// There is one, always.
    pub struct Handle;

    impl Handle {
        pub fn try_current() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
            loom::thread::spawn(move || loom::future::block_on(task));
        }
    }
}

pub mod task {
    use std::cell::Cell;

    use loom::thread::{self, JoinHandle};

    loom::thread_local! {
        static ENDS: Cell<bool> = Cell::new(false);
    }

    /// What this thread's runtime did not begin yet, it drops.
    pub fn end_runtime() {
        ENDS.with(|ends| ends.set(true));
    }

    pub fn spawn_blocking(task: impl FnOnce() + 'static) -> JoinHandle<()> {
        if ENDS.with(Cell::get) { thread::spawn(move || drop(task)) } else { thread::spawn(task) }
    }
}

pub mod io {
    pub struct Interest;

    impl Interest {
        pub const READABLE: Self = Self;
    }

    pub mod unix {
        use std::cell::Cell;
        use std::io;
        use std::os::fd::OwnedFd;
        use std::task::{Context, Poll};

        use super::Interest;
        use crate::file::kernel::{self, Told};

        /// Listens to the first queue, whichever descriptor it gets: ready when something came in that was not cleared.
        pub struct AsyncFd {
            cleared: Cell<Told>,
        }

        pub struct Ready<'a> {
            of: &'a AsyncFd,
            told: Told,
        }

        impl AsyncFd {
            #[deprecated]
            pub fn with_interest(_queue: OwnedFd, _interest: Interest) -> io::Result<Self> {
                Ok(Self { cleared: kernel::listen().into() })
            }

            pub fn poll_read_ready(&self, context: &Context<'_>) -> Poll<io::Result<Ready<'_>>> {
                kernel::poll_told(self.cleared.get(), context).map(|told| Ok(Ready { of: self, told }))
            }
        }

        impl Ready<'_> {
            /// What came in after this was seen stays.
            pub fn clear_ready(&mut self) {
                self.of.cleared.set(self.told);
            }
        }
    }
}

pub mod time {
    pub async fn sleep(_duration: std::time::Duration) {
        unimplemented!("there is always a watch")
    }
}
