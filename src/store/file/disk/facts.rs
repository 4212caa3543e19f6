//! What the file system knows about a file without looking into it.

use rustix::fs::{FileType, Stat};

/// Two readings with one identity are readings of one content, once it [is settled](Identity::is_settled).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// The device.
    pub(crate) dev: u64,
    /// The inode.
    pub(crate) ino: u64,
    /// The size in bytes.
    pub(crate) size: u64,
    /// The last change of the contents, in nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// The last change of contents, owner, mode or name, in nanoseconds since 1970.
    pub(crate) ctime: i64,
}

/// What is at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A pipe, a socket or a device.
    Other,
}

/// Everything that decides whether a file is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// Which file, and which state of it.
    pub(crate) identity: Identity,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Its owner.
    pub(crate) uid: u32,
    /// Its group.
    pub(crate) gid: u32,
}

impl Identity {
    /// Whether a later change must show in the identity, for one that was taken at `now` (Unix milliseconds).
    ///
    /// Kernels stamp files with a clock that ticks every 1 to 10 ms, and reuse inode numbers at once: a change
    /// within the tick of the one before leaves every field as it is.
    pub(crate) fn is_settled(&self, now: i64) -> bool {
        const TICKS_MS: i64 = 20;
        now.saturating_sub(self.ctime.max(self.mtime) / 1_000_000) > TICKS_MS
    }

    /// Whether both are of one file with one content, whatever it was called.
    pub(crate) fn is_same_contents(&self, other: &Self) -> bool {
        (self.dev, self.ino, self.size, self.mtime) == (other.dev, other.ino, other.size, other.mtime)
    }

    /// The last change of the contents in Unix milliseconds.
    pub(crate) fn mtime_ms(&self) -> i64 {
        self.mtime.div_euclid(1_000_000)
    }

    /// The last change of anything about it in Unix milliseconds: of its name as well.
    pub(crate) fn changed_ms(&self) -> i64 {
        self.ctime.max(self.mtime).div_euclid(1_000_000)
    }

    /// Whether `other` is the same file, in whatever state.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

impl Inspection {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_possible_truncation,
        reason = "the widths of these fields differ between platforms, and all fit"
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        let nanos = |secs: i64, nanos: i64| secs.saturating_mul(1_000_000_000).saturating_add(nanos);
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::Regular,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        };
        Self {
            identity: Identity {
                dev: stat.st_dev as u64,
                ino: stat.st_ino as u64,
                size: stat.st_size as u64,
                mtime: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
                ctime: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            },
            kind,
            mode: stat.st_mode as u32 & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }
    }

    /// Whether group or others may read it.
    pub(crate) fn is_readable_by_others(&self) -> bool {
        self.mode & 0o044 != 0
    }

    /// Whether group or others may write it.
    pub(crate) fn is_writable_by_others(&self) -> bool {
        self.mode & 0o022 != 0
    }
}
