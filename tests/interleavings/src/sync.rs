//! `crate::sync` as loom plays it, and beside it what the sources use that loom has not.

pub use std::sync::PoisonError;

pub use loom::sync::{Mutex, MutexGuard, atomic};

use self::atomic::{AtomicUsize, Ordering};

/// Loom wants no `const`.
macro_rules! of_thread {
    (static $name:ident: $type:ty = const { $init:expr };) => {
        loom::thread_local! { static $name: $type = $init; }
    };
}
pub(crate) use of_thread as thread_local;

/// arc-swap, as weak as it says it is: a load acquires what a store released.
pub struct Swap<T> {
    at: AtomicUsize,
    /// All there ever were; no interleaving goes through this.
    kept: std::sync::Mutex<Vec<T>>,
}

pub type ArcSwap<T> = Swap<std::sync::Arc<T>>;
pub type ArcSwapOption<T> = Swap<Option<std::sync::Arc<T>>>;

impl<T: Clone> Swap<T> {
    fn of(value: T) -> Self {
        Self { at: AtomicUsize::new(0), kept: vec![value].into() }
    }

    pub fn load(&self) -> T {
        let at = self.at.load(Ordering::Acquire);
        self.kept.lock().unwrap()[at].clone()
    }

    pub fn load_full(&self) -> T {
        self.load()
    }

    pub fn store(&self, value: T) {
        let at = {
            let mut kept = self.kept.lock().unwrap();
            kept.push(value);
            kept.len() - 1
        };
        self.at.swap(at, Ordering::AcqRel);
    }
}

impl<T> ArcSwap<T> {
    pub fn from_pointee(value: T) -> Self {
        Self::of(value.into())
    }
}

impl<T> Default for ArcSwapOption<T> {
    fn default() -> Self {
        Self::of(None)
    }
}

/// As tokio's: one value, or the news that none will come.
pub mod oneshot {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::Mutex;

    enum Slot<T> {
        Empty(Option<Waker>),
        Full(T),
        Closed,
    }

    pub struct Sender<T>(Arc<Mutex<Slot<T>>>);
    pub struct Receiver<T>(Arc<Mutex<Slot<T>>>);

    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let slot = Arc::new(Mutex::new(Slot::Empty(None)));
        (Sender(Arc::clone(&slot)), Receiver(slot))
    }

    impl<T> Sender<T> {
        pub fn send(self, value: T) -> Result<(), T> {
            self.put(Slot::Full(value));
            Ok(())
        }

        fn put(&self, slot: Slot<T>) {
            let last = {
                let mut held = self.0.lock().unwrap();
                match &*held {
                    Slot::Empty(_) => std::mem::replace(&mut *held, slot),
                    Slot::Full(_) | Slot::Closed => return,
                }
            };
            if let Slot::Empty(Some(waker)) = last {
                waker.wake();
            }
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.put(Slot::Closed);
        }
    }

    impl<T> Future for Receiver<T> {
        type Output = Result<T, ()>;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            let mut held = self.0.lock().unwrap();
            match std::mem::replace(&mut *held, Slot::Closed) {
                Slot::Empty(_) => {
                    *held = Slot::Empty(Some(context.waker().clone()));
                    Poll::Pending
                }
                Slot::Full(value) => Poll::Ready(Ok(value)),
                Slot::Closed => Poll::Ready(Err(())),
            }
        }
    }
}

/// As tokio's, for all who wait: whoever asked before it was told hears of it.
#[derive(Default)]
pub struct Notify(Mutex<(u64, Vec<std::task::Waker>)>);

impl Notify {
    pub fn notified(&self) -> impl Future<Output = ()> {
        let before = self.0.lock().unwrap().0;
        std::future::poll_fn(move |context| {
            let mut held = self.0.lock().unwrap();
            if held.0 > before {
                return std::task::Poll::Ready(());
            }
            held.1.push(context.waker().clone());
            std::task::Poll::Pending
        })
    }

    pub fn notify_waiters(&self) {
        let wakers = {
            let mut held = self.0.lock().unwrap();
            held.0 += 1;
            std::mem::take(&mut held.1)
        };
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}
