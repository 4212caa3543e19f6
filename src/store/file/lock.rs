//! The two locks under which files change: our own between dmgate's processes, and the established sidecar.
//!
//! The order is always: our own lock first, then the sidecar of the pending file, then that of an allow file.

mod sidecar;
mod standing;

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use super::disk::{Dir, FileError};
use super::fault::{Step, step};

pub(crate) use sidecar::Sidecar;
pub(crate) use standing::{Standing, inspect};

/// Where a lock gets its time and its patience from.
pub(crate) trait Waiting {
    /// Unix milliseconds.
    fn now(&self) -> i64;
    /// Lets `duration` go by.
    fn pause(&self, duration: Duration);
}

/// Why a lock was not got, or not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Somebody else held it the whole time.
    #[error("{}", still_held(path, *holder))]
    Timeout {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, where that is known.
        holder: Option<u32>,
    },
    /// It was taken over, or became so old that it may be.
    #[error("the lock `{}` was held too long and may belong to another program now; nothing was changed, try again", path.display())]
    Lost {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Our own lock: one process of dmgate at a time works on a channel's files. Dropped, it is free.
///
/// Two threads of one process exclude each other as well. A process that dies lets go at once.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub(crate) struct Flock {
    file: File,
}

impl Flock {
    /// Takes the lock of `channel` (in the form that file names use), or gives up at `deadline` (Unix milliseconds).
    pub(crate) fn acquire(
        dir: &Dir,
        channel: &str,
        waiting: &dyn Waiting,
        deadline: i64,
    ) -> Result<Self, LockError> {
        let name = format!("{channel}-dmgate.lock");
        let failed = |source| LockError::File(dir.io(&name, "lock", source));
        let mut patience = Patience::until(deadline, waiting);
        // Closing a file that was open for writing is an event for everyone who watches the directory.
        let mut access = OFlags::RDONLY;
        loop {
            let file = open(dir, &name, access)?;
            step(Step::Lock).map_err(failed)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let locked = dir.facts_of(&name, &file)?.identity;
                    // Whoever removed or replaced the file in the meantime would lock another one than we did.
                    if dir.identify(&name)?.is_some_and(|there| there.is_same_file(&locked)) {
                        return Ok(Self { file });
                    }
                }
                // Network file systems lock exclusively only what is open for writing.
                Err(Errno::BADF) if access == OFlags::RDONLY => {
                    access = OFlags::RDWR;
                    continue;
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
            if !patience.pause() {
                let holder = dir.identify(&name)?.and_then(|there| standing::flock_holder(there.ino));
                return Err(LockError::Timeout { path: dir.at(&name), holder });
            }
        }
    }
}

impl Drop for Flock {
    fn drop(&mut self) {
        let _ = step(Step::Unlock);
        // Closing would not do: a child process that is just being started shares the open file for a moment.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

fn open(dir: &Dir, name: &str, access: OFlags) -> Result<File, LockError> {
    if let Some(file) = dir.open_file(name, access)? {
        dir.trusted(name, &file)?;
        return Ok(file);
    }
    if let Some(file) = dir.create(name)? {
        return Ok(file);
    }
    // Created by another process in this very moment.
    let file = dir.open_file(name, access)?;
    file.ok_or_else(|| FileError::Missing { path: dir.at(name) }.into())
}

/// Waiting in growing steps until a deadline.
struct Patience<'a> {
    waiting: &'a dyn Waiting,
    deadline: i64,
    left: Duration,
    attempt: u32,
}

impl<'a> Patience<'a> {
    fn until(deadline: i64, waiting: &'a dyn Waiting) -> Self {
        let left = u64::try_from(deadline.saturating_sub(waiting.now())).unwrap_or(0);
        Self { waiting, deadline, left: Duration::from_millis(left), attempt: 0 }
    }

    /// Lets some time go by; `false` when there is none left.
    ///
    /// From 1 ms, doubling, to 50 ms: often enough not to starve beside a neighbour that waits 100 ms at least.
    fn pause(&mut self) -> bool {
        let left = u64::try_from(self.deadline.saturating_sub(self.waiting.now())).unwrap_or(0);
        // What was waited counts as well: a clock that is set back must not make the wait longer.
        let left = self.left.min(Duration::from_millis(left));
        if left.is_zero() {
            return false;
        }
        let step = Duration::from_millis((1 << self.attempt.min(6)).min(50));
        // Two processes that began together must not stay in step.
        let spread =
            std::process::id().wrapping_mul(0x9e37_79b9).wrapping_add(self.attempt.wrapping_mul(0x85eb_ca6b));
        let step = step.saturating_sub(step / 4 * (spread >> 28) / 16).min(left);
        self.waiting.pause(step);
        self.left = self.left.saturating_sub(step);
        self.attempt = self.attempt.saturating_add(1);
        true
    }
}

fn still_held(path: &std::path::Path, holder: Option<u32>) -> String {
    let path = path.display();
    match holder {
        Some(pid) => {
            format!("the lock `{path}` is held by process {pid}; let it finish, or stop it, and try again")
        }
        None => format!(
            "the lock `{path}` is held by an unknown process; try again, and if no other program uses the directory, \
             remove the lock file"
        ),
    }
}

#[cfg(test)]
mod tests;
