//! Noticing at once that a file of the state, or the directory itself, is no longer what it was.
//!
//! On a local file system the kernel queues an event before the call that made the change returns, so that an
//! empty queue proves that nothing has changed. What it cannot see: a write through a shared memory mapping, a
//! write through another hard link of a file, and another file system mounted over a directory of the path. Where one
//! of these could happen, ask `Dir::still_at_path` and compare identities from time to time.

mod way;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::disk::Dir;
use super::fault::{Step, step};
use way::Way;

/// The changes of a directory's files that are watched.
///
/// `CREATE` is among them for what appears without being written (a hard link, a symbolic link, a pipe), and
/// `ATTRIB` because a `chmod` makes a file untrusted, or trusted again, without touching its contents; it costs
/// one event more for each write of a program that sets modes after renaming. `MODIFY` is for writing in place.
const CONTENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE);

/// A directory that goes away. That it is unmounted is always reported.
const ITSELF: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF).union(WatchFlags::ONLYDIR);

/// An open directory reports its removal only after it was closed, and we hold it open; the one above reports at
/// once that the name was removed or given to another. So it is with a symbolic link in the path.
const NAME_ABOVE: WatchFlags = WatchFlags::DELETE.union(WatchFlags::MOVE);

/// Local file systems, on which every change of this machine is reported, and no other machine changes anything.
///
/// Overlay counts: a change through the mount is reported (one behind its back, in a lower layer, is not allowed
/// by its own rules). Not in the list, so that the caller falls back to asking for each file: NFS, SMB, CIFS, 9p,
/// Ceph, AFS, Lustre and the cluster file systems, where other machines write unseen; FUSE and virtiofs, for the
/// same reason, whatever is behind them; FAT and its kin, which have no owners; and all that nobody tried.
const LOCAL: [u64; 13] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
    0xca45_1a4e, // bcachefs
    0x3153_464a, // jfs
    0x3434,      // nilfs2
    0x2405_1905, // ubifs
    0xf15f,      // ecryptfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlay
];

/// How many events are taken before the caller gets to act on them.
const MAX_EVENTS: usize = 65_536;

/// A watch on one directory and on everything above it, for as long as the store is open; [`Watch::aim`] says on which.
#[derive(Debug)]
pub(crate) struct Watch {
    /// A queue for each lane: threads that look at one and the same would wait for each other in the kernel.
    first: OwnedFd,
    more: Box<[OwnedFd]>,
    /// What is watched through each; locked by whoever takes events or aims anew.
    marks: Mutex<Vec<Marks>>,
    /// How many queues watch it, counted from the first; none when it is lost.
    lanes: AtomicUsize,
}

/// The queue that a thread looks at. What happens is in all of them before the call that did it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane(usize);

/// As many threads can run at once; but a user has 128 queues by default, and each event goes into all of a watch's.
static LANES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from).min(4));

/// What one queue watches.
#[derive(Debug, Default)]
struct Marks {
    contents: i32,
    /// Names that lead to the directory, and the watches on what holds them.
    names: Vec<(i32, Box<OsStr>)>,
    all: Vec<i32>,
}

/// Whether anything happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peek {
    /// Nothing since the last drain.
    Quiet,
    /// Something; [`Watch::drain`] says what.
    Pending,
    /// The watch sees nothing any more; aim it anew.
    Lost,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changes {
    /// These files, sorted; locks and temporary files are left out.
    Names(Vec<String>),
    /// More than the kernel could keep: any file.
    Everything,
    /// The directory or one above it was moved, removed or unmounted. Until it is aimed anew, the watch is [lost](Peek::Lost).
    Replaced,
}

/// Why a directory cannot be watched. The caller compares identities instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// Other machines, or nobody knows who, can change it unseen.
    #[error("`{}` is not on a local file system (type {kind:#x}); its files are examined at every check instead", path.display())]
    FileSystem {
        /// The directory.
        path: PathBuf,
        /// The number of its file system's type.
        kind: u64,
    },
    /// Nobody asked for one.
    #[error("no watch is wanted; files are examined at every check")]
    NotWanted,
    /// The system allows no further one.
    #[error("no further watch is allowed; raise `{limit}`, and until then files are examined at every check")]
    Limit {
        /// The setting to raise.
        limit: &'static str,
    },
    /// The path leads elsewhere now.
    #[error("`{}` was replaced while the watch was set up; open it again", path.display())]
    Moved {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused; for a directory above, often because it may not be read.
    #[error("could not watch `{}`; its files are examined at every check instead", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The reason it gave.
        #[source]
        source: std::io::Error,
    },
}

impl WatchError {
    /// Whether it is of no use to try again.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::FileSystem { .. } | Self::NotWanted)
    }
}

impl Lane {
    /// The one that is waited on.
    pub(crate) const FIRST: Self = Self(0);

    /// The lane of this thread: each new thread gets the next.
    #[inline]
    pub(crate) fn of_this_thread() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % *LANES);
        Self(LANE.with(|lane| *lane))
    }
}

impl Watch {
    /// A watch on nothing yet.
    pub(crate) fn open() -> Result<Self, WatchError> {
        let open = || {
            step(Step::Watch)?;
            Ok(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?)
        };
        let limit = "fs.inotify.max_user_instances (or ulimit -n)";
        let first = open().map_err(|source| refused(Path::new("inotify"), source, Errno::MFILE, limit))?;
        // The first will do: more only make it faster.
        let more = (1..*LANES).map_while(|_| open().ok()).collect();
        Ok(Self { first, more, marks: Mutex::default(), lanes: 0.into() })
    }

    /// Watches `dir` from now on, and nothing else. Read its files after this, not before.
    pub(crate) fn aim(&self, dir: &Dir) -> Result<(), WatchError> {
        let mut marks = self.marks();
        self.lanes.store(0, Ordering::Release);
        for (queue, marks) in self.queues().zip(marks.drain(..)) {
            marks.remove(queue);
        }
        *marks = self.mark(dir)?;
        self.lanes.store(marks.len(), Ordering::Release);
        Ok(())
    }

    fn mark(&self, dir: &Dir) -> Result<Vec<Marks>, WatchError> {
        let path = dir.path();
        let kind = file_system(dir).map_err(|errno| io(path, errno))?;
        if !LOCAL.contains(&kind) {
            return Err(WatchError::FileSystem { path: path.to_owned(), kind });
        }
        let way = Way::of(path).map_err(|error| io(path, error))?;
        let mut all = Vec::new();
        for queue in self.queues() {
            match Marks::set(queue, &way) {
                Ok(marks) => all.push(marks),
                Err(error) if all.is_empty() => return Err(error),
                // Here, too, the first will do.
                Err(_) => break,
            }
        }
        // What was replaced before its watch existed was not reported.
        if Way::of(path).is_ok_and(|now| now == way) && dir.still_at_path() {
            return Ok(all);
        }
        for (queue, marks) in self.queues().zip(all) {
            marks.remove(queue);
        }
        Err(WatchError::Moved { path: path.to_owned() })
    }

    /// Whether anything happened; consumes nothing and allocates nothing. After a change that has returned to its
    /// caller, in whatever process, this is never [`Quiet`](Peek::Quiet) until the change was drained.
    #[inline]
    pub(crate) fn peek(&self, lane: Lane) -> Peek {
        let queue = match (lane, self.lanes.load(Ordering::Acquire)) {
            (_, 0) => return Peek::Lost,
            (Lane(number @ 1..), lanes) if number < lanes => self.more.get(number - 1).unwrap_or(&self.first),
            _ => &self.first,
        };
        match rustix::io::ioctl_fionread(queue) {
            Ok(0) => Peek::Quiet,
            Ok(_) => Peek::Pending,
            Err(_) => Peek::Lost,
        }
    }

    /// Takes everything that happened so far. Only one thread may do this at a time, and has to act on it.
    pub(crate) fn drain(&self) -> Changes {
        let (mut names, mut is_overflown) = (BTreeSet::new(), false);
        for (queue, marks) in self.queues().zip(&*self.marks()) {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(queue, &mut buffer);
            let mut count = 0_usize;
            // Stopped only between two reads: an event in the buffer is gone from the queue.
            while count < MAX_EVENTS || !events.is_buffer_empty() {
                count = count.saturating_add(1);
                match events.next() {
                    Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => is_overflown = true,
                    Ok(event) if marks.is_replaced(&event) => self.lanes.store(0, Ordering::Release),
                    Ok(event) if event.wd() == marks.contents => {
                        let name = event.file_name().and_then(|name| name.to_str().ok());
                        names.extend(name.and_then(of_interest));
                    }
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(Errno::WOULDBLOCK) => break,
                    Err(_) => {
                        self.lanes.store(0, Ordering::Release);
                        break;
                    }
                }
            }
        }
        if self.lanes.load(Ordering::Acquire) == 0 {
            Changes::Replaced
        } else if is_overflown {
            Changes::Everything
        } else {
            Changes::Names(names.into_iter().collect())
        }
    }

    fn queues(&self) -> impl Iterator<Item = &OwnedFd> {
        std::iter::once(&self.first).chain(&self.more)
    }

    fn marks(&self) -> MutexGuard<'_, Vec<Marks>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marks {
    /// Watches all of it, or nothing.
    fn set(queue: &OwnedFd, way: &Way) -> Result<Self, WatchError> {
        let mut marks = Self::default();
        match marks.add_all(queue, way) {
            Ok(()) => Ok(marks),
            Err(error) => {
                marks.remove(queue);
                Err(error)
            }
        }
    }

    fn add_all(&mut self, queue: &OwnedFd, Way { real, names }: &Way) -> Result<(), WatchError> {
        self.contents = self.add(queue, real, CONTENTS | ITSELF)?;
        for (above, name) in names {
            // The root itself can be neither moved nor removed.
            for level in above.ancestors().filter(|level| level.parent().is_some()) {
                self.add(queue, level, ITSELF)?;
            }
            let wd = self.add(queue, above, NAME_ABOVE | WatchFlags::ONLYDIR)?;
            self.names.push((wd, name.as_os_str().into()));
        }
        Ok(())
    }

    /// Adds to what is watched there already: one directory may be above the other, and hold a link as well.
    fn add(&mut self, queue: &OwnedFd, path: &Path, mask: WatchFlags) -> Result<i32, WatchError> {
        let wd = step(Step::Watch)
            .and_then(|()| Ok(inotify::add_watch(queue, path, mask | WatchFlags::MASK_ADD)?))
            .map_err(|source| refused(path, source, Errno::NOSPC, "fs.inotify.max_user_watches"))?;
        self.all.push(wd);
        Ok(wd)
    }

    fn remove(self, queue: &OwnedFd) {
        for wd in self.all {
            // What is not there any more is not watched any more.
            let _ = inotify::remove_watch(queue, wd);
        }
    }

    fn is_replaced(&self, event: &Event<'_>) -> bool {
        const GONE: ReadFlags = ReadFlags::DELETE_SELF
            .union(ReadFlags::MOVE_SELF)
            .union(ReadFlags::UNMOUNT)
            .union(ReadFlags::IGNORED);
        let is_a_name =
            |named: &OsStr| self.names.iter().any(|(wd, name)| event.wd() == *wd && named == &**name);
        let named = event.file_name().map(|named| OsStr::from_bytes(named.to_bytes()));
        // What was watched before tells of its own end; that is none of ours.
        let is_gone = event.events().intersects(GONE) && self.all.contains(&event.wd());
        // The directory itself may hold a link that leads to it; what happens to files there is no loss of the name.
        is_gone || named.is_some_and(is_a_name)
    }
}

/// To wait on until something happens. Whoever waits must not read from it: that is for [`Watch::drain`] alone.
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.first.as_fd()
    }
}

/// What the system refused: for want of more, which `limit` sets, or for another reason.
fn refused(path: &Path, source: std::io::Error, want: Errno, limit: &'static str) -> WatchError {
    if Errno::from_io_error(&source) == Some(want) { WatchError::Limit { limit } } else { io(path, source) }
}

fn io(path: &Path, source: impl Into<std::io::Error>) -> WatchError {
    WatchError::Io { path: path.to_owned(), source: source.into() }
}

fn of_interest(name: &str) -> Option<String> {
    let is_noise = name.ends_with(".lock") || name.ends_with(".tmp");
    (!is_noise).then(|| name.to_owned())
}

#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the width differs between platforms")]
fn file_system(dir: &Dir) -> rustix::io::Result<u64> {
    // The number has 32 bits, and some platforms keep it in a signed field.
    Ok(rustix::fs::fstatfs(dir)?.f_type as u64 & 0xffff_ffff)
}

#[cfg(test)]
mod tests;
