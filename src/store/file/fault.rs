//! The named steps of every durable change, where a test can make the disk fail or the process die.
//!
//! In a normal build `step` is nothing at all.
#![allow(unreachable_pub, reason = "reachable through the crate's testing surface, where that is built")]

use std::io;

/// A step that a durable change passes, named just before it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The temporary file is about to be created.
    CreateTemp,
    /// The new contents are about to be written to the temporary file.
    WriteTemp,
    /// The temporary file is about to be synced.
    SyncTemp,
    /// The temporary file is about to take the name of the real one.
    Rename,
    /// The directory is about to be synced; the new contents are already visible.
    SyncDir,
    /// A record is about to be appended.
    Append,
    /// An appended record is about to be synced; it is already visible.
    SyncAppend,
    /// A file is about to be read.
    Read,
    /// A lock is about to be taken.
    Lock,
    /// A lock is about to be released.
    Unlock,
    /// The first of two files that belong together is durable, the second not begun.
    BetweenFiles,
}

/// Passes `at`; fails only where a test asked for it.
#[cfg(not(any(test, feature = "testing")))]
#[inline]
#[allow(clippy::unnecessary_wraps, reason = "the other build of this function does fail")]
pub(crate) fn step(_at: Step) -> io::Result<()> {
    Ok(())
}

#[cfg(any(test, feature = "testing"))]
pub(crate) use armed::step;
#[cfg(any(test, feature = "testing"))]
pub use armed::{Armed, Fault, on_every_thread, on_this_thread};

#[cfg(any(test, feature = "testing"))]
mod armed {
    use std::cell::RefCell;
    use std::marker::PhantomData;
    use std::rc::Rc;
    use std::sync::{Arc, PoisonError, RwLock};

    use super::{Step, io};

    /// What happens at a step instead of the step.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// The step fails with this error number of the operating system.
        Fail(i32),
        /// The process ends on the spot: nothing is unwound, flushed or dropped.
        Abort,
    }

    type Everywhere = dyn Fn(Step) -> Option<Fault> + Send + Sync;
    type Here = dyn Fn(Step) -> Option<Fault>;

    static EVERYWHERE: RwLock<Option<Arc<Everywhere>>> = RwLock::new(None);
    thread_local! {
        static HERE: RefCell<Option<Rc<Here>>> = const { RefCell::new(None) };
    }

    /// Keeps this thread's faults armed; dropped, it disarms them.
    #[derive(Debug)]
    #[must_use = "dropping it disarms the faults"]
    pub struct Armed(PhantomData<*const ()>);

    impl Drop for Armed {
        fn drop(&mut self) {
            HERE.set(None);
        }
    }

    /// Asks `hook` at every step that this thread takes.
    pub fn on_this_thread(hook: impl Fn(Step) -> Option<Fault> + 'static) -> Armed {
        HERE.set(Some(Rc::new(hook)));
        Armed(PhantomData)
    }

    /// Asks `hook` at every step that any thread takes, for the rest of the process.
    pub fn on_every_thread(hook: impl Fn(Step) -> Option<Fault> + Send + Sync + 'static) {
        *EVERYWHERE.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Passes `at`, unless a hook says otherwise.
    pub(crate) fn step(at: Step) -> io::Result<()> {
        // Both hooks run outside their borrow, so that a hook may itself touch the disk.
        let here = HERE.with_borrow(Option::clone);
        let everywhere = EVERYWHERE.read().unwrap_or_else(PoisonError::into_inner).clone();
        let fault = here.and_then(|hook| hook(at)).or_else(|| everywhere.and_then(|hook| hook(at)));
        match fault {
            None => Ok(()),
            Some(Fault::Fail(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(Fault::Abort) => std::process::abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Step, on_this_thread, step};

    #[test]
    fn a_hook_fails_the_step_it_names_until_it_is_disarmed() {
        let armed = on_this_thread(|at| (at == Step::Rename).then_some(Fault::Fail(28)));
        assert!(step(Step::WriteTemp).is_ok());
        assert_eq!(step(Step::Rename).unwrap_err().raw_os_error(), Some(28));
        drop(armed);
        assert!(step(Step::Rename).is_ok());
    }

    #[test]
    fn a_hook_stays_on_its_own_thread() {
        let _armed = on_this_thread(|_| Some(Fault::Fail(5)));
        assert!(std::thread::spawn(|| step(Step::Lock).is_ok()).join().unwrap());
        assert!(step(Step::Lock).is_err());
    }
}
