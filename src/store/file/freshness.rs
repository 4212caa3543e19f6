//! Which files changed since they were read, exactly and at the price of one look at a queue.
//!
//! The revision is odd while events are taken from the queue and noted, and even, and higher, afterwards. So whoever finds
//! the queue empty, because someone else emptied it, sees the odd revision or the one after it; and whoever sees the odd
//! one, or asks which files changed, waits on the lock until that someone has noted them. What is taken gets the revision
//! *after*: no even revision that was handed out before, while the queue was empty for a moment, can cover it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::disk::{Dir, DirError};
use super::watch::{Changes, Lane, Peek, Watch, WatchError};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{ArcSwapOption, Mutex, MutexGuard, PoisonError};

/// The opened directory.
pub(super) struct Place {
    /// The directory of the channels' files.
    pub(super) credentials: Dir,
    /// From which revision on its changes are noted; why they are not.
    pub(super) noted_from: Result<u64, WatchError>,
}

/// Where the files are now, and what changed in them.
pub(super) struct Freshness {
    path: PathBuf,
    wants_watch: bool,
    /// From when on there was a directory to watch, and a queue to be had.
    watch: OnceLock<Watch>,
    /// How often the directory was asked for while it could not be watched.
    unwatched: AtomicU64,
    /// Odd while changes are noted.
    revision: AtomicU64,
    place: ArcSwapOption<Place>,
    changes: Mutex<ChangeLog>,
    /// Told when events were taken from the queue: who waits may not have heard of them.
    taken: Notify,
}

/// How often it is looked again while others note changes, before the answer is that it can't be told.
const LOOKS: usize = 16;

/// How often an unwatched directory is asked for until it is tried again to watch it: to find that there still is no queue
/// to be had costs as much as some of these.
const TRY_AGAIN: u64 = 64;

/// When which file changed last, in revisions.
#[derive(Default)]
struct ChangeLog {
    files: HashMap<String, u64>,
    everything: u64,
}

/// More names than this count as everything: whoever makes file after file shall not fill our memory.
const NAMES: usize = 4_096;

/// Changes while they are noted, all under one revision. Where a panic ends that, everything may have changed.
struct Noting<'a> {
    revision: &'a AtomicU64,
    log: &'a mut ChangeLog,
    at: u64,
}

/// Whether a file may have changed since it was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Since {
    /// It did not, if it was read at or after this revision.
    Revision(u64),
    /// Only a look at the file itself tells.
    Unknown,
}

impl Freshness {
    /// The directory at `path`; whether a watch on it is wanted.
    pub(super) fn new(path: PathBuf, wants_watch: bool) -> Self {
        let (watch, unwatched, revision, place, changes, taken) = Default::default();
        Self { path, wants_watch, watch, unwatched, revision, place, changes, taken }
    }

    /// The revision, if the watch can tell it. Allocates nothing and takes no lock while nothing happens.
    #[inline]
    pub(super) fn revision(&self) -> Option<u64> {
        self.revision_in(Lane::of_this_thread())
    }

    // INVARIANT I1: a change that returned to its writer is in the queue or already counted.
    fn revision_in(&self, lane: Lane) -> Option<u64> {
        let watch = self.watch.get()?;
        for _ in 0..LOOKS {
            // The queue first, the revision second.
            match watch.peek(lane) {
                Peek::Quiet => {
                    let revision = self.revision.load(Ordering::SeqCst);
                    if revision.is_multiple_of(2) {
                        return Some(revision);
                    }
                    drop(self.log());
                }
                Peek::Pending => drop(self.take(lane)),
                Peek::Lost => return None,
            }
        }
        None
    }

    /// The directory as it is now, opened again if it was replaced.
    pub(super) fn place(&self) -> Result<Arc<Place>, DirError> {
        let seen = self.place.load_full();
        let held = seen.as_ref().filter(|place| self.holds(place));
        if let Some(place) = held.filter(|place| !self.is_tried_again(place)) {
            return Ok(Arc::clone(place));
        }
        let mut log = self.log();
        // Who was here before us did it for all who wait.
        let is_another = |now: &Arc<Place>| !seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, now));
        if let Some(now) = self.place.load_full().filter(is_another).filter(|now| self.holds(now)) {
            return Ok(now);
        }
        let opened = self.open(&mut log, held.map(|place| place.credentials.clone()));
        // Whoever is told may ask us.
        drop(log);
        if let Some(why) = opened.as_ref().ok().and_then(|place| place.unwatched())
            && seen.and_then(|place| place.unwatched()).as_ref() != Some(&why)
            && self.wants_watch
        {
            tracing::warn!("{why}");
        }
        opened
    }

    /// When the file changed last.
    pub(super) fn changed_at(&self, name: &str) -> Since {
        if self.place.load().as_ref().is_none_or(|place| place.noted_from.is_err()) {
            return Since::Unknown;
        }
        let log = self.take(Lane::of_this_thread());
        Since::Revision(log.files.get(name).copied().unwrap_or(0).max(log.everything))
    }

    /// Why there is no watch, if there is none.
    pub(super) fn fall_back(&self) -> Option<String> {
        self.place.load_full()?.unwatched()
    }

    /// Waits until the revision is another than `since`.
    pub(super) async fn changed(&self, since: Option<u64>) {
        let (Some(since), Some(watch)) = (since, self.watch.get()) else { return look_again().await };
        #[expect(
            deprecated,
            reason = "sound here: the descriptor is owned, and closed only after it was taken off"
        )]
        let listen = |queue| AsyncFd::with_interest(queue, Interest::READABLE);
        let queue = watch.as_fd().try_clone_to_owned().and_then(listen);
        let Ok(queue) = queue else { return look_again().await };
        // Listening first, looking second: what happened before is counted, what happens after is heard. Both in one
        // lane: in another, it might not be seen yet when it is heard. And to who takes it as well: the kernel tells of a
        // queue only if there still is something in it.
        loop {
            let mut taken = pin!(self.taken.notified());
            if self.revision_in(Lane::FIRST) != Some(since) {
                return;
            }
            let heard = poll_fn(|context| match taken.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Ok(())),
                Poll::Pending => queue.poll_read_ready(context).map_ok(|mut ready| ready.clear_ready()),
            });
            if heard.await.is_err() {
                return;
            }
        }
    }

    /// Takes what happened and notes it. A directory that was replaced is opened by who asks for it: until then the watch
    /// tells nobody anything.
    fn take(&self, lane: Lane) -> MutexGuard<'_, ChangeLog> {
        let mut log = self.log();
        if let Some(watch) = self.watch.get().filter(|watch| watch.peek(lane) == Peek::Pending) {
            let mut noting = Noting::begin(&self.revision, &mut log);
            match watch.drain() {
                Changes::Names(names) => noting.names(names),
                Changes::Everything | Changes::Replaced => noting.everything(),
            }
            drop(noting);
            self.taken.notify_waiters();
        }
        log
    }

    /// Whether this still is the directory.
    fn holds(&self, place: &Place) -> bool {
        let is_seen =
            || self.watch.get().is_some_and(|watch| watch.peek(Lane::of_this_thread()) != Peek::Lost);
        // What was mounted over the path is not reported by any watch; and there may be no watch at all.
        (place.noted_from.is_err() || is_seen()) && place.credentials.still_at_path()
    }

    /// Whether it is time to try again to watch what could not be watched.
    fn is_tried_again(&self, place: &Place) -> bool {
        place.noted_from.as_ref().is_err_and(|why| !why.is_lasting())
            && (self.unwatched.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(TRY_AGAIN)
    }

    /// Opens the directory, unless it is open, and watches it.
    fn open(&self, log: &mut ChangeLog, opened: Option<Dir>) -> Result<Arc<Place>, DirError> {
        let mut noting = Noting::begin(&self.revision, log);
        noting.everything();
        let place = opened.map_or_else(|| Dir::open(&self.path), Ok).map(|credentials| {
            let noted_from = self.aim(&credentials).map(|()| noting.at);
            Arc::new(Place { credentials, noted_from })
        });
        self.place.store(place.as_ref().ok().cloned());
        place
    }

    fn aim(&self, dir: &Dir) -> Result<(), WatchError> {
        if !self.wants_watch {
            return Err(WatchError::NotWanted);
        }
        let watch = match self.watch.get() {
            Some(watch) => watch,
            None => {
                let opened = Watch::open()?;
                self.watch.get_or_init(|| opened)
            }
        };
        watch.aim(dir)
    }

    fn log(&self) -> MutexGuard<'_, ChangeLog> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn unwatched(&self) -> Option<String> {
        self.noted_from.as_ref().err().map(ToString::to_string)
    }
}

impl<'a> Noting<'a> {
    /// From here on, nobody is told a revision.
    fn begin(revision: &'a AtomicU64, log: &'a mut ChangeLog) -> Self {
        let odd = revision.load(Ordering::SeqCst) + 1;
        revision.store(odd, Ordering::SeqCst);
        Self { revision, log, at: odd + 1 }
    }

    fn names(&mut self, names: Vec<String>) {
        self.log.files.extend(names.into_iter().map(|name| (name, self.at)));
        if self.log.files.len() > NAMES {
            self.everything();
        }
    }

    fn everything(&mut self) {
        self.log.everything = self.at;
        self.log.files.clear();
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.everything();
        }
        self.revision.store(self.at, Ordering::SeqCst);
    }
}

/// Where nothing reports changes: the next look is a moment later.
async fn look_again() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

#[cfg(test)]
#[path = "freshness/tests.rs"]
mod tests;
