//! Trouble with files as the operator reads it.

use std::error::Error;

use super::disk::{Dir, FileError};
use super::lock::LockError;
use crate::decision::Fault;

/// A file or directory that can't be trusted, read or written.
pub(super) fn fault(error: &dyn Error) -> Fault {
    Fault::unreadable(whole(error))
}

/// Why a file could not be read.
pub(super) struct Trouble {
    pub(super) fault: Fault,
    /// Whether it stays until the file changes, which is an event; trouble of the machine passes without one.
    pub(super) is_lasting: bool,
}

impl From<FileError> for Trouble {
    fn from(error: FileError) -> Self {
        let is_lasting = !matches!(error, FileError::Io { .. } | FileError::Changing { .. });
        Self { fault: fault(&error), is_lasting }
    }
}

/// A file whose contents are no document.
pub(super) fn damage(dir: &Dir, name: &str, error: &dyn Error) -> Trouble {
    Trouble { fault: in_file(dir, name, error), is_lasting: true }
}

/// As [`damage`], for who looks once.
pub(super) fn in_file(dir: &Dir, name: &str, error: &dyn Error) -> Fault {
    Fault::unreadable(format!("`{}`: {}", dir.path().join(name).display(), whole(error)))
}

/// A lock that can't be had.
pub(super) fn lock(error: &LockError) -> Fault {
    match error {
        LockError::Timeout { .. } | LockError::Lost { .. } => Fault::locked(whole(error)),
        LockError::File(error) => fault(error),
    }
}

fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} ({cause})");
        source = cause.source();
    }
    text
}
