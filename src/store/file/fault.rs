//! The named steps of every durable change, where a test can make the disk fail or the process die.
//!
//! In a normal build `step` is nothing at all.
#![allow(unreachable_pub, reason = "reachable through the crate's testing surface, where that is built")]

use std::io;
#[cfg(not(any(test, feature = "testing")))]
use std::{fs::File, io::Write as _};

/// A step that a durable change passes, named just before it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A missing directory is about to be made.
    MakeDir,
    /// A directory or a file that is there is about to be opened.
    Open,
    /// It is about to be asked which file a name leads to, and of what kind.
    Inspect,
    /// A file is about to be read.
    Read,
    /// A queue of changes is about to be had, or told what to watch.
    Watch,
    /// A lock is about to be taken.
    Lock,
    /// A lock that was left behind is about to be taken away.
    TakeOver,
    /// The new lock file is about to be told who holds it; it is there, and empty.
    WriteLock,
    /// The new lock file, which says who holds it, is about to get its name.
    NameLock,
    /// The temporary file is about to be created.
    CreateTemp,
    /// The new contents are about to be written to the temporary file.
    WriteTemp,
    /// The temporary file is about to be synced.
    SyncTemp,
    /// The temporary file is about to take the name of the real one.
    Rename,
    /// The file that had the name before is about to be looked at, and removed; the new one is already visible.
    Displaced,
    /// The directory is about to be synced; the new contents are already visible.
    SyncDir,
    /// A record is about to be appended.
    Append,
    /// An appended record is about to be synced; it is already visible.
    SyncAppend,
    /// What was appended in vain is about to be cut off.
    CutBack,
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

/// Writes `bytes` at `at`.
#[cfg(not(any(test, feature = "testing")))]
#[inline]
pub(crate) fn write(_at: Step, mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

#[cfg(any(test, feature = "testing"))]
pub use armed::{Armed, Fault, on_every_thread, on_this_thread};
#[cfg(any(test, feature = "testing"))]
pub(crate) use armed::{step, write};

#[cfg(any(test, feature = "testing"))]
mod armed {
    use std::cell::RefCell;
    use std::fs::File;
    use std::io::Write as _;
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
        /// The first half is written, and then it fails with this error number; where nothing is written, it just fails.
        Short(i32),
        /// The first half is written, and then the process ends; where nothing is written, it just ends.
        ShortAbort,
    }

    impl Step {
        /// All of them.
        pub const ALL: [Self; 20] = [
            Self::MakeDir,
            Self::Open,
            Self::Inspect,
            Self::Read,
            Self::Watch,
            Self::Lock,
            Self::TakeOver,
            Self::WriteLock,
            Self::NameLock,
            Self::CreateTemp,
            Self::WriteTemp,
            Self::SyncTemp,
            Self::Rename,
            Self::Displaced,
            Self::SyncDir,
            Self::Append,
            Self::SyncAppend,
            Self::CutBack,
            Self::Unlock,
            Self::BetweenFiles,
        ];
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
        happen(asked(at))
    }

    /// Writes `bytes` at `at`, unless a hook says otherwise.
    pub(crate) fn write(at: Step, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let fault = asked(at);
        if let Some(Fault::Short(_) | Fault::ShortAbort) = fault {
            file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
        }
        happen(fault)?;
        file.write_all(bytes)
    }

    fn asked(at: Step) -> Option<Fault> {
        // Both hooks run outside their borrow, so that a hook may itself touch the disk.
        let here = HERE.with_borrow(Option::clone);
        let everywhere = EVERYWHERE.read().unwrap_or_else(PoisonError::into_inner).clone();
        here.and_then(|hook| hook(at)).or_else(|| everywhere.and_then(|hook| hook(at)))
    }

    fn happen(fault: Option<Fault>) -> io::Result<()> {
        match fault {
            None => Ok(()),
            Some(Fault::Fail(code) | Fault::Short(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(Fault::Abort | Fault::ShortAbort) => std::process::abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Step, on_this_thread, step, write};

    #[test]
    fn a_hook_fails_the_step_it_names_until_it_is_disarmed() {
        let armed = on_this_thread(|at| (at == Step::Rename).then_some(Fault::Fail(28)));
        assert!(step(Step::WriteTemp).is_ok());
        assert_eq!(step(Step::Rename).unwrap_err().raw_os_error(), Some(28));
        drop(armed);
        assert!(step(Step::Rename).is_ok());
    }

    #[test]
    fn half_is_written_where_a_hook_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let armed = on_this_thread(|at| (at == Step::Append).then_some(Fault::Short(28)));
        assert_eq!(write(Step::Append, file.as_file(), b"abcdef").unwrap_err().raw_os_error(), Some(28));
        drop(armed);
        write(Step::Append, file.as_file(), b"ghi").unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"abcghi");
    }

    #[test]
    fn a_hook_stays_on_its_own_thread() {
        let _armed = on_this_thread(|_| Some(Fault::Fail(5)));
        assert!(std::thread::spawn(|| step(Step::Lock).is_ok()).join().unwrap());
        assert!(step(Step::Lock).is_err());
    }
}
