//! One shared file as a transaction holds it: what it says, and the state it was in when it was read.

use std::time::Duration;

use super::disk::{Dir, FileError, Identity, Names};
use super::document::DocumentError;
use super::lock::{LockError, Waiting};
use super::trouble::{self, Trouble};
use crate::clock::Clock;
use crate::decision::Fault;
use crate::store::StoreError;

/// A document, and the state of its file when it was read.
pub(super) struct Part<T> {
    name: String,
    pub(super) document: T,
    identity: Option<Identity>,
}

/// Why a transaction did not end.
pub(super) enum Interrupted {
    /// Someone was in between: nothing was done, or it is harmless to do it again.
    Again(Fault),
    /// It can't be done.
    Failed(StoreError),
}

/// How often a transaction is begun again because another program was in between.
const ROUNDS: usize = 20;

/// Does it again while another program is in between.
pub(super) fn attempt<T>(mut once: impl FnMut() -> Result<T, Interrupted>) -> Result<T, StoreError> {
    let mut last = Fault::locked("the files changed again and again; try again");
    for _ in 0..ROUNDS {
        match once() {
            Ok(answer) => return Ok(answer),
            Err(Interrupted::Failed(error)) => return Err(error),
            Err(Interrupted::Again(fault)) => last = fault,
        }
    }
    Err(last.into())
}

impl<T> Part<T> {
    /// Reads a file; where there is none, `empty` is what it says.
    pub(super) fn read(
        dir: &Dir,
        name: impl Into<String>,
        empty: T,
        parse: fn(&[u8]) -> Result<T, DocumentError>,
    ) -> Result<Self, Trouble> {
        let name = name.into();
        let contents = dir.read(&name)?;
        let identity = contents.as_ref().map(|contents| contents.identity);
        let document = match contents {
            None => empty,
            Some(contents) => parse(&contents.bytes).map_err(|error| trouble::damage(dir, &name, &error))?,
        };
        Ok(Self { name, document, identity })
    }

    /// Puts `bytes` in the place of the file that was read; `confirm` says whether its lock is still ours.
    // INVARIANT I13: lock and file are looked at again right before the rename, what the rename displaced is looked at,
    // and the file once more after it: a program that wrote without the lock, or took it over while we were stopped, is
    // noticed, and its update is not lost to ours, nor ours to it.
    pub(super) fn replace(
        &mut self,
        dir: &Dir,
        bytes: &[u8],
        names: Names,
        confirm: impl FnOnce() -> Result<(), LockError>,
    ) -> Result<(), Interrupted> {
        let (name, known) = (&self.name, self.identity);
        let changed = || {
            let path = dir.at(name);
            let detail = "was changed by a program that did not take its lock; try again";
            Interrupted::Again(Fault::locked(format!("`{}` {detail}", path.display())))
        };
        let written = dir.replace_known(name, known, bytes, names, || {
            confirm()?;
            if dir.identify(name)? == known { Ok(()) } else { Err(changed()) }
        })?;
        let written = written.ok_or_else(changed)?;
        self.identity = Some(written);
        let is_ours = dir.identify(name)?.is_some_and(|there| there.is_same_file(&written));
        if is_ours { Ok(()) } else { Err(changed()) }
    }
}

/// Waiting by the clock that tests control.
pub(super) struct ByClock<'a>(pub(super) &'a dyn Clock);

impl ByClock<'_> {
    /// When a wait of this length ends.
    pub(super) fn deadline(&self, patience: Duration) -> i64 {
        self.now().saturating_add(i64::try_from(patience.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Waiting for ByClock<'_> {
    fn now(&self) -> i64 {
        self.0.now().as_millis()
    }

    fn pause(&self, duration: Duration) {
        self.0.pause(duration);
    }
}

impl From<Fault> for Interrupted {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl From<Trouble> for Interrupted {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble.fault.into())
    }
}

impl From<FileError> for Interrupted {
    fn from(error: FileError) -> Self {
        trouble::fault(&error).into()
    }
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<LockError> for Interrupted {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Lost { .. } => Self::Again(trouble::lock(&error)),
            LockError::Timeout { .. } | LockError::File(_) => Self::Failed(trouble::lock(&error).into()),
        }
    }
}
