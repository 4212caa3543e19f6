//! One directory of the state: opened once, trusted or refused, and every file in it reached through it.

mod error;
mod facts;
mod write;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::fault::{Step, step};

pub(crate) use error::{DirError, FileError};
pub(crate) use facts::{Identity, Inspection, Kind};
pub(super) use write::{Names, knows_no_flags, temp_name};

/// The largest file that is read. A million senders take about 30 MiB; what is far beyond is not ours.
pub(crate) const MAX_FILE: u64 = 256 << 20;

/// How often a file that changes under the reader is read again.
const READ_ATTEMPTS: u32 = 5;

/// An opened, trusted directory. A clone is the same open directory.
#[derive(Clone)]
pub(crate) struct Dir {
    fd: Arc<OwnedFd>,
    path: Arc<Path>,
    facts: Inspection,
}

/// A whole file, and which state of the file it was.
#[derive(Clone)]
pub(crate) struct Contents {
    /// All its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The state they were read in.
    pub(crate) identity: Identity,
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dir").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Contents {
    // Pairing codes may be among the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Dir {
    /// Opens the directory at `path`, if nobody but its owner can write to it and its owner is us (or we are root).
    pub(crate) fn open(path: &Path) -> Result<Self, DirError> {
        let path = std::path::absolute(path).map_err(|source| dir_io(path, "find", source))?;
        step(Step::Open).map_err(|source| dir_io(&path, "open", source))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(CWD, &path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Err(DirError::Missing { path }),
            Err(Errno::NOTDIR) => return Err(DirError::NotADirectory { path }),
            Err(errno) => return Err(dir_io(&path, "open", errno)),
        };
        let facts = rustix::fs::fstat(&fd).map_err(|errno| dir_io(&path, "inspect", errno))?;
        let facts = Inspection::of(&facts);
        if facts.is_writable_by_others() {
            return Err(DirError::WritableByOthers { path, mode: facts.mode });
        }
        let us = geteuid();
        if !us.is_root() && facts.uid != us.as_raw() {
            return Err(DirError::ForeignOwner { path, uid: facts.uid });
        }
        Ok(Self { fd: Arc::new(fd), path: path.into(), facts })
    }

    /// Opens the directory at `path`; it and every missing level above it are made first, for the owner alone.
    pub(crate) fn create_and_open(path: &Path) -> Result<Self, DirError> {
        let path = std::path::absolute(path).map_err(|source| dir_io(path, "find", source))?;
        let is_missing = |level: &&Path| matches!(rustix::fs::stat(*level), Err(Errno::NOENT));
        let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
        for level in missing.into_iter().rev() {
            make(level)?;
        }
        Self::open(&path)
    }

    /// The absolute path that it was opened at.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the directory itself was when it was opened.
    pub(crate) fn facts(&self) -> &Inspection {
        &self.facts
    }

    /// Whether its path still leads to it, and not to a directory that took its place.
    pub(crate) fn still_at_path(&self) -> bool {
        rustix::fs::stat(&*self.path)
            .is_ok_and(|stat| Inspection::of(&stat).identity.is_same_file(&self.facts.identity))
    }

    /// Reads a whole file, or `None` where there is none.
    ///
    /// A file that is replaced is read before or after. One that is written in place is read again while it changes,
    /// but two changes within one tick of the kernel's clock look like one: see [`Identity::is_settled`].
    pub(crate) fn read(&self, name: &str) -> Result<Option<Contents>, FileError> {
        for _ in 0..READ_ATTEMPTS {
            // Opened afresh each time: a writer that replaces the file leaves the old one behind.
            let Some(file) = self.open_file(name, OFlags::RDONLY)? else { return Ok(None) };
            let before = self.trusted(name, &file)?.identity;
            if before.size > MAX_FILE {
                return Err(FileError::TooLarge { path: self.at(name), size: before.size, max: MAX_FILE });
            }
            step(Step::Read).map_err(|source| self.io(name, "read", source))?;
            let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or(0).saturating_add(1));
            let mut bounded = (&file).take(MAX_FILE.saturating_add(1));
            bounded.read_to_end(&mut bytes).map_err(|source| self.io(name, "read", source))?;
            let after = self.facts_of(name, &file)?.identity;
            if is_one_state(&before, &after, bytes.len()) {
                return Ok(Some(Contents { bytes, identity: after }));
            }
        }
        Err(FileError::Changing { path: self.at(name) })
    }

    /// Which file is at `name`, and in which state; nothing is opened or followed. `None` where there is none.
    pub(crate) fn identify(&self, name: &str) -> Result<Option<Identity>, FileError> {
        Ok(self.inspect(name)?.map(|facts| facts.identity))
    }

    /// Everything that decides whether `name` is to be trusted, without opening it.
    pub(crate) fn inspect(&self, name: &str) -> Result<Option<Inspection>, FileError> {
        self.check_name(name)?;
        step(Step::Inspect).map_err(|source| self.io(name, "inspect", source))?;
        match rustix::fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Inspection::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.io(name, "inspect", errno)),
        }
    }

    /// The names in the directory, sorted. One that is not UTF-8 cannot be ours and is left out.
    pub(crate) fn list(&self) -> Result<Vec<String>, DirError> {
        let failed = |errno| dir_io(&self.path, "list", errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&*self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether `facts` are those of a regular file that only the right people can write.
    pub(crate) fn trust(&self, name: &str, facts: &Inspection) -> Result<(), FileError> {
        match facts.kind {
            Kind::Regular => {}
            Kind::Symlink => return Err(FileError::Symlink { path: self.at(name) }),
            Kind::Directory | Kind::Other => return Err(FileError::NotRegular { path: self.at(name) }),
        }
        if facts.is_writable_by_others() {
            return Err(FileError::WritableByOthers { path: self.at(name), mode: facts.mode });
        }
        if facts.uid != geteuid().as_raw() && facts.uid != self.facts.uid {
            return Err(FileError::ForeignOwner { path: self.at(name), uid: facts.uid });
        }
        Ok(())
    }

    /// The path of `name`, for messages.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn io(&self, name: &str, doing: &'static str, source: impl Into<io::Error>) -> FileError {
        FileError::Io { path: self.at(name), doing, source: source.into() }
    }

    /// Opens an existing file without following or waiting for anything.
    pub(super) fn open_file(&self, name: &str, flags: OFlags) -> Result<Option<File>, FileError> {
        self.check_name(name)?;
        step(Step::Open).map_err(|source| self.io(name, "open", source))?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::openat(&*self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(fd.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::MLINK) => Err(FileError::Symlink { path: self.at(name) }),
            Err(Errno::NXIO | Errno::ISDIR) => Err(FileError::NotRegular { path: self.at(name) }),
            Err(errno) => Err(self.io(name, "open", errno)),
        }
    }

    pub(super) fn facts_of(&self, name: &str, file: impl AsFd) -> Result<Inspection, FileError> {
        rustix::fs::fstat(file)
            .map(|stat| Inspection::of(&stat))
            .map_err(|errno| self.io(name, "inspect", errno))
    }

    pub(super) fn trusted(&self, name: &str, file: impl AsFd) -> Result<Inspection, FileError> {
        let facts = self.facts_of(name, file)?;
        self.trust(name, &facts)?;
        Ok(facts)
    }

    fn check_name(&self, name: &str) -> Result<(), FileError> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(FileError::Name { path: self.at(&name.replace('\0', "\u{fffd}")) });
        }
        Ok(())
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether all of a file was read in one state of it.
fn is_one_state(before: &Identity, after: &Identity, len: usize) -> bool {
    before == after && u64::try_from(len).is_ok_and(|len| len == after.size)
}

/// Makes one level and makes its entry durable. Another process may have been faster.
fn make(level: &Path) -> Result<(), DirError> {
    step(Step::MakeDir).map_err(|source| dir_io(level, "create", source))?;
    match rustix::fs::mkdirat(CWD, level, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(dir_io(level, "create", errno)),
    }
    let Some(parent) = level.parent() else { return Ok(()) };
    let failed = |errno| dir_io(level, "create", errno);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = rustix::fs::openat(CWD, parent, flags, Mode::empty()).map_err(failed)?;
    let owner = Inspection::of(&rustix::fs::fstat(&above).map_err(failed)?);
    if geteuid().is_root() && owner.uid != geteuid().as_raw() {
        // Root at work in somebody's directory must leave that somebody able to go on alone.
        let made = rustix::fs::openat(CWD, level, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
        if rustix::fs::fstat(&made).map_err(failed)?.st_uid == geteuid().as_raw() {
            write::give(&made, &owner).map_err(failed)?;
        }
    }
    let synced = step(Step::SyncDir).and_then(|()| Ok(rustix::fs::fsync(&above)?));
    synced.map_err(|source| dir_io(level, "create", source))
}

fn dir_io(path: &Path, doing: &'static str, source: impl Into<io::Error>) -> DirError {
    DirError::Io { path: path.to_owned(), doing, source: source.into() }
}

#[cfg(test)]
mod tests;
