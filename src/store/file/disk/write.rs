//! Every way in which a file of the state changes, durably or not at all.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::super::fault::{self, Step, step};
use super::{Dir, DirError, FileError, Identity, Inspection, Kind};

/// How many names are tried for a temporary file. With 64 random bits the first one is free.
const NAME_ATTEMPTS: u32 = 4;

/// Whether a change makes durable which names lead to which files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// It does.
    Sync,
    /// Another change, after it and before anybody is told of it, does for both: on file systems with a journal, that is
    /// one commit instead of two.
    Leave,
}

/// A name for a file that will not live long, in the one form that [`Dir::sweep`] removes.
pub(in super::super) fn temp_name(name: &str) -> String {
    format!("{name}.{:016x}.tmp", RandomState::new().build_hasher().finish())
}

/// Whether a rename with flags was refused as such: by a file system that knows none, or by a filter of system calls.
/// Without them, the call is another one.
pub(in super::super) fn knows_no_flags(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM)
}

/// Gives a new file or directory to the owner of the directory that it is in.
pub(super) fn give(made: impl AsFd, owner: &Inspection) -> rustix::io::Result<()> {
    rustix::fs::fchown(made, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
}

impl Dir {
    /// Replaces `name` with `bytes`, durably: readers see the old contents or the new, also after a crash.
    ///
    /// `before_rename` is the last chance to find that a lock was lost or the file changed; when it fails, nothing
    /// has happened. The file is *not* examined here: who replaces it has read it first, and found it trusted.
    /// An error from the last step, the sync of the directory, means that the new contents are visible but perhaps
    /// not durable; no sync is ever repeated, since a second one may succeed without having written anything.
    pub(crate) fn replace<E: From<FileError>>(
        &self,
        name: &str,
        bytes: &[u8],
        before_rename: impl FnOnce() -> Result<(), E>,
    ) -> Result<Identity, E> {
        self.check_name(name)?;
        let temp = Temp::create(self, name)?;
        temp.fill(bytes)?;
        before_rename()?;
        Ok(temp.put_in_place(name)?)
    }

    /// As [`Dir::replace`], if `name` still is what `known` says; `None` if somebody else changed it by the very moment of
    /// the rename, and then it stays as they made it.
    pub(crate) fn replace_known<E: From<FileError>>(
        &self,
        name: &str,
        known: Option<Identity>,
        bytes: &[u8],
        names: Names,
        before_rename: impl FnOnce() -> Result<(), E>,
    ) -> Result<Option<Identity>, E> {
        self.check_name(name)?;
        let temp = Temp::create(self, name)?;
        temp.fill(bytes)?;
        before_rename()?;
        Ok(temp.take_the_place_of(name, known, names)?)
    }

    /// Appends `bytes` to `name`, which must still have `expected_len` bytes, and makes them durable; with [`Names::Sync`]
    /// also the names that a change before it left.
    ///
    /// When anything fails, the file is cut back to `expected_len` as far as the disk allows.
    pub(crate) fn append(
        &self,
        name: &str,
        bytes: &[u8],
        expected_len: u64,
        names: Names,
    ) -> Result<Identity, FileError> {
        let Some(file) = self.open_file(name, OFlags::WRONLY | OFlags::APPEND)? else {
            return Err(FileError::Missing { path: self.at(name) });
        };
        let facts = self.trusted(name, &file)?;
        let found = facts.identity.size;
        if found != expected_len {
            return Err(FileError::UnexpectedLength { path: self.at(name), expected: expected_len, found });
        }
        if facts.is_readable_by_others() {
            // Only the owner may; for anyone else it stays as it is, and `doctor` names it.
            let _ = rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR);
        }
        let written = fault::write(Step::Append, &file, bytes)
            .and_then(|()| step(Step::SyncAppend))
            .and_then(|()| Ok(rustix::fs::fdatasync(&file)?))
            .and_then(|()| if names == Names::Sync { self.sync_names() } else { Ok(()) });
        if let Err(source) = written {
            // What can't be cut off is a last line without an end, or one that nobody was told of.
            let _ = step(Step::CutBack).and_then(|()| Ok(rustix::fs::ftruncate(&file, expected_len)?));
            return Err(self.io(name, "append to", source));
        }
        Ok(self.facts_of(name, &file)?.identity)
    }

    /// Removes `name`, durably. Says whether it was there.
    #[cfg(test)]
    pub(crate) fn remove(&self, name: &str) -> Result<bool, FileError> {
        let was_there = self.unlink(name)?;
        if was_there {
            self.sync(name)?;
        }
        Ok(was_there)
    }

    /// Removes what writers that died left behind: names of our own temporary form, not changed for `older_than`. A file
    /// that just got such a name was changed just now, however old its contents are.
    pub(crate) fn sweep(&self, older_than: Duration, now: i64) -> Result<Vec<String>, SweepError> {
        let oldest = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let mut removed = Vec::new();
        for name in self.list()?.into_iter().filter(|name| is_temp_name(name)) {
            let Some(facts) = self.inspect(&name)? else { continue };
            let is_ours = facts.kind == Kind::Regular && self.trust(&name, &facts).is_ok();
            if is_ours && now.saturating_sub(facts.identity.changed_ms()) > oldest && self.unlink(&name)? {
                removed.push(name);
            }
        }
        Ok(removed)
    }

    /// Removes `name` without making that durable.
    pub(in super::super) fn unlink(&self, name: &str) -> Result<bool, FileError> {
        self.check_name(name)?;
        match rustix::fs::unlinkat(&*self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.io(name, "remove", errno)),
        }
    }

    /// Creates `name`, which must be free (else `None`), for the owner of the directory alone.
    pub(in super::super) fn create(&self, name: &str) -> Result<Option<File>, FileError> {
        self.check_name(name)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&*self.fd, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => File::from(fd),
            Err(Errno::EXIST) => return Ok(None),
            Err(errno) => return Err(self.io(name, "create", errno)),
        };
        if let Err(error) = self.adopt(name, &file) {
            let _ = self.unlink(name);
            return Err(error);
        }
        Ok(Some(file))
    }

    /// Where root made `file` in somebody's directory, that somebody becomes its owner.
    pub(in super::super) fn adopt(&self, name: &str, file: impl AsFd) -> Result<(), FileError> {
        if geteuid().is_root() && self.facts.uid != geteuid().as_raw() {
            give(file, &self.facts).map_err(|errno| self.io(name, "change the owner of", errno))?;
        }
        Ok(())
    }

    /// Makes durable which names lead to which files.
    pub(in super::super) fn sync(&self, name: &str) -> Result<(), FileError> {
        self.sync_names().map_err(|source| self.io(name, "make durable the name", source))
    }

    fn sync_names(&self) -> io::Result<()> {
        step(Step::SyncDir).and_then(|()| Ok(rustix::fs::fsync(&*self.fd)?))
    }
}

/// Why leftovers could not be removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// The directory could not be listed.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// A leftover could not be inspected or removed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// New contents on their way; dropped before they are in place, they are gone.
struct Temp<'dir> {
    dir: &'dir Dir,
    name: String,
    file: File,
    in_place: bool,
}

impl<'dir> Temp<'dir> {
    fn create(dir: &'dir Dir, target: &str) -> Result<Self, FileError> {
        for _ in 0..NAME_ATTEMPTS {
            let name = temp_name(target);
            step(Step::CreateTemp).map_err(|source| dir.io(&name, "create", source))?;
            if let Some(file) = dir.create(&name)? {
                return Ok(Self { dir, name, file, in_place: false });
            }
        }
        Err(dir.io(target, "find a temporary name for", Errno::EXIST))
    }

    fn fill(&self, bytes: &[u8]) -> Result<(), FileError> {
        fault::write(Step::WriteTemp, &self.file, bytes)
            .map_err(|source| self.dir.io(&self.name, "write", source))?;
        step(Step::SyncTemp)
            .and_then(|()| Ok(rustix::fs::fsync(&self.file)?))
            .map_err(|source| self.dir.io(&self.name, "sync", source))
    }

    fn put_in_place(mut self, target: &str) -> Result<Identity, FileError> {
        step(Step::Rename)
            .and_then(|()| Ok(self.rename(target)?))
            .map_err(|source| self.dir.io(target, "replace", source))?;
        self.in_place = true;
        self.settle(target, Names::Sync)
    }

    fn take_the_place_of(
        mut self,
        target: &str,
        known: Option<Identity>,
        names: Names,
    ) -> Result<Option<Identity>, FileError> {
        let flags = known.map_or(RenameFlags::NOREPLACE, |_| RenameFlags::EXCHANGE);
        let renamed = step(Step::Rename).and_then(|()| Ok(self.rename_with(target, flags)?));
        match (renamed, known) {
            (Ok(()), None) => self.in_place = true,
            (Ok(()), Some(known)) => {
                // What was there has our temporary name now, and is nothing to be thrown away before it was looked at.
                self.in_place = true;
                step(Step::Displaced).map_err(|source| self.dir.io(target, "replace", source))?;
                if !self.dir.identify(&self.name)?.is_some_and(|there| there.is_same_contents(&known)) {
                    self.rename_with(target, flags)
                        .map_err(|errno| self.dir.io(target, "give back", errno))?;
                    self.in_place = false;
                    return Ok(None);
                }
                let _ = self.dir.unlink(&self.name);
            }
            (Err(error), _) => match Errno::from_io_error(&error) {
                // Also where it is our own file that is gone: whose clock is ahead takes it for a leftover.
                Some(Errno::EXIST | Errno::NOENT) => return Ok(None),
                // The look before it is as near as it comes there.
                Some(errno) if knows_no_flags(errno) => {
                    self.rename(target).map_err(|errno| self.dir.io(target, "replace", errno))?;
                    self.in_place = true;
                }
                _ => return Err(self.dir.io(target, "replace", error)),
            },
        }
        self.settle(target, names).map(Some)
    }

    fn rename(&self, target: &str) -> rustix::io::Result<()> {
        rustix::fs::renameat(&*self.dir.fd, &self.name, &*self.dir.fd, target)
    }

    fn rename_with(&self, target: &str, flags: RenameFlags) -> rustix::io::Result<()> {
        rustix::fs::renameat_with(&*self.dir.fd, &self.name, &*self.dir.fd, target, flags)
    }

    /// Makes the new name durable. The identity comes last: a rename changes it.
    fn settle(&self, target: &str, names: Names) -> Result<Identity, FileError> {
        if names == Names::Sync {
            self.dir.sync(target)?;
        }
        Ok(self.dir.facts_of(target, &self.file)?.identity)
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = self.dir.unlink(&self.name);
        }
    }
}

fn is_temp_name(name: &str) -> bool {
    let parts = name.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.'));
    parts.is_some_and(|(stem, tag)| {
        !stem.is_empty() && tag.len() == 16 && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}
