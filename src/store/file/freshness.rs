//! Which files changed since they were read, exactly and at the price of one look at a queue.
//!
//! The revision is odd while events are taken from the queue and noted, and even, and higher, afterwards. So whoever finds
//! the queue empty, because someone else emptied it, sees the odd revision or the one after it; and whoever sees the odd
//! one, or asks which files changed, waits on the lock until that someone has noted them. What is taken gets the revision
//! *after*: no even revision that was handed out before, while the queue was empty for a moment, can cover it.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::disk::{Dir, DirError};
use super::watch::{Changes, Lane, Peek, Watch, WatchError};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{ArcSwapOption, Mutex, MutexGuard, PoisonError};

/// The opened directory.
pub(super) struct Place {
    /// The directory of the channels' files.
    pub(super) credentials: Dir,
    /// Whether it is watched; why not.
    watched: Result<(), WatchError>,
}

/// Where the files are now, and what changed in them.
pub(super) struct Freshness {
    path: PathBuf,
    /// Whether changes are watched for.
    watches: bool,
    /// From when on there was a directory to watch, and a queue to be had.
    watch: OnceLock<Watch>,
    /// Odd while changes are noted.
    revision: AtomicU64,
    place: ArcSwapOption<Place>,
    changes: Mutex<ChangeLog>,
}

/// How often it is looked again while others note changes, before the answer is that it can't be told.
const LOOKS: usize = 16;

/// When which file changed last, in revisions.
#[derive(Default)]
struct ChangeLog {
    files: HashMap<String, u64>,
    everything: u64,
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
    pub(super) fn new(path: PathBuf, watches: bool) -> Self {
        let (watch, revision, place, changes) = Default::default();
        Self { path, watches, watch, revision, place, changes }
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
        if let Some(place) = self.place.load_full() {
            // What was mounted over the path is not reported by any watch; and there may be no watch at all.
            let is_lost = |watch: &Watch| watch.peek(Lane::of_this_thread()) == Peek::Lost;
            let holds = place.watched.is_err() || !self.watch.get().is_none_or(is_lost);
            if holds && place.credentials.still_at_path() {
                return Ok(place);
            }
        }
        let mut log = self.log();
        let revision = self.begin(&log);
        let place = self.reopen(&mut log, revision);
        self.end(&log, revision);
        place
    }

    /// When the file changed last.
    pub(super) fn changed_at(&self, name: &str) -> Since {
        if self.place.load().as_ref().is_none_or(|place| place.watched.is_err()) {
            return Since::Unknown;
        }
        let log = self.take(Lane::of_this_thread());
        Since::Revision(log.files.get(name).copied().unwrap_or(0).max(log.everything))
    }

    /// Why there is no watch, if there is none.
    pub(super) fn fall_back(&self) -> Option<String> {
        let place = self.place.load_full()?;
        place.watched.as_ref().err().map(ToString::to_string)
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
        // lane: in another, it might not be seen yet when it is heard.
        while self.revision_in(Lane::FIRST) == Some(since) {
            match queue.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return,
            }
        }
    }

    /// Takes what happened and notes it.
    fn take(&self, lane: Lane) -> MutexGuard<'_, ChangeLog> {
        let mut log = self.log();
        let Some(watch) = self.watch.get().filter(|watch| watch.peek(lane) == Peek::Pending) else {
            return log;
        };
        let revision = self.begin(&log);
        match watch.drain() {
            Changes::Names(names) => log.files.extend(names.into_iter().map(|name| (name, revision))),
            Changes::Everything => log.everything = revision,
            // Nobody is let in by a directory that is not there: whoever asks next gets no revision, and opens it.
            Changes::Replaced => drop(self.reopen(&mut log, revision)),
        }
        self.end(&log, revision);
        log
    }

    fn reopen(&self, log: &mut ChangeLog, revision: u64) -> Result<Arc<Place>, DirError> {
        log.everything = revision;
        log.files.clear();
        match Dir::open(&self.path) {
            Ok(credentials) => {
                let watched = self.watch(&credentials);
                if let (Err(error), true) = (&watched, self.watches) {
                    tracing::warn!("{error}");
                }
                let place = Arc::new(Place { credentials, watched });
                self.place.store(Some(Arc::clone(&place)));
                Ok(place)
            }
            Err(error) => {
                self.place.store(None);
                Err(error)
            }
        }
    }

    fn watch(&self, dir: &Dir) -> Result<(), WatchError> {
        if !self.watches {
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

    /// Begins to note changes; says which revision they get.
    fn begin(&self, _log: &MutexGuard<'_, ChangeLog>) -> u64 {
        // Odd already only where a panic ended the last one.
        let odd = self.revision.load(Ordering::SeqCst) | 1;
        self.revision.store(odd, Ordering::SeqCst);
        odd + 1
    }

    /// The changes of `revision` are noted.
    fn end(&self, _log: &MutexGuard<'_, ChangeLog>, revision: u64) {
        self.revision.store(revision, Ordering::SeqCst);
    }

    fn log(&self) -> MutexGuard<'_, ChangeLog> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where nothing reports changes: the next look is a moment later.
async fn look_again() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness() -> (tempfile::TempDir, Freshness) {
        let temp = tempfile::tempdir().unwrap();
        Dir::create_and_open(&temp.path().join("credentials")).unwrap();
        let freshness = Freshness::new(temp.path().join("credentials"), true);
        freshness.place().unwrap();
        (temp, freshness)
    }

    #[test]
    fn i1_no_revision_is_handed_out_while_changes_are_noted() {
        let (_temp, freshness) = freshness();
        for _ in 0..500 {
            // As in the middle of `take`: an event was taken, so the queue is empty, and is not noted yet.
            let log = freshness.log();
            let revision = freshness.begin(&log);
            let seen = std::thread::scope(|scope| {
                let looks = scope.spawn(|| freshness.revision());
                std::thread::yield_now();
                freshness.end(&log, revision);
                drop(log);
                looks.join().unwrap()
            });
            assert_eq!(seen, Some(revision));
        }
    }

    #[test]
    fn i1_a_change_is_noted_beyond_every_revision_that_was_seen_before_it() {
        let (temp, freshness) = freshness();
        let path = temp.path().join("credentials/a.json");
        let mut last = freshness.revision().unwrap();
        for _ in 0..500 {
            assert_eq!(freshness.revision(), Some(last), "nothing happened");
            drop(std::fs::File::create(&path).unwrap());
            assert_ne!(freshness.revision(), Some(last));
            let Since::Revision(changed) = freshness.changed_at("a.json") else { panic!("no watch") };
            assert!(changed > last);
            assert!(freshness.changed_at("b.json") < Since::Revision(changed));
            last = freshness.revision().unwrap();
            assert!(changed <= last);
        }
    }

    #[test]
    fn i1_another_directory_is_a_change_of_everything() {
        let (temp, freshness) = freshness();
        let before = freshness.revision().unwrap();
        rustix::fs::rename(temp.path().join("credentials"), temp.path().join("old")).unwrap();
        assert_eq!(freshness.revision(), None, "there is no directory");
        assert!(freshness.place().is_err());
        Dir::create_and_open(&temp.path().join("credentials")).unwrap();
        freshness.place().unwrap();
        assert!(freshness.revision().unwrap() > before);
        assert!(freshness.changed_at("a.json") > Since::Revision(before));
    }
}
