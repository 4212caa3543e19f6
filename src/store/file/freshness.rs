//! Which files changed since they were read, exactly and at the price of one look at a queue.
//!
//! The revision is counted up before events are taken from the queue. So whoever finds the queue empty, because someone
//! else emptied it, sees the new revision; and whoever then asks which files changed waits, on the lock, until that
//! someone has noted them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::disk::{Dir, DirError};
use super::watch::{Changes, Peek, Watch, WatchError};

/// The opened directory, and the watch on it where there can be one.
pub(super) struct Place {
    /// The directory of the channels' files.
    pub(super) credentials: Dir,
    watch: Result<Watch, WatchError>,
}

/// Where the files are now, and what changed in them.
pub(super) struct Freshness {
    path: PathBuf,
    place: ArcSwapOption<Place>,
    revision: AtomicU64,
    changes: Mutex<ChangeLog>,
}

/// When which file changed last, in revisions.
#[derive(Default)]
struct ChangeLog {
    files: HashMap<String, u64>,
    everything: u64,
}

/// Whether a file may have changed since it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Since {
    /// It did not, if it was read at or after this revision.
    Revision(u64),
    /// Only a look at the file itself tells.
    Unknown,
}

impl Freshness {
    pub(super) fn new(path: PathBuf) -> Self {
        let (place, revision, changes) = Default::default();
        Self { path, place, revision, changes }
    }

    /// The revision, if the watch can tell it. Allocates nothing and takes no lock while nothing happens.
    // INVARIANT I1: a change that returned to its writer is in the queue or already counted.
    pub(super) fn revision(&self) -> Option<u64> {
        let place = self.place.load();
        let watch = place.as_ref()?.watch.as_ref().ok()?;
        if watch.peek() != Peek::Quiet {
            drop(self.take(&place));
            // The directory may be another now, or have no watch any more.
            let place = self.place.load();
            place.as_ref()?.watch.as_ref().ok()?;
            return Some(self.revision.load(Ordering::SeqCst));
        }
        Some(self.revision.load(Ordering::SeqCst))
    }

    /// The directory as it is now, opened again if it was replaced.
    pub(super) fn place(&self) -> Result<Arc<Place>, DirError> {
        let place = self.place.load_full();
        if let Some(place) = &place {
            // A link in the path that was set to another target is not reported by any watch.
            let holds = place.watch.as_ref().map_or(true, |watch| watch.peek() != Peek::Lost);
            if holds && place.credentials.still_at_path() {
                return Ok(Arc::clone(place));
            }
        }
        let mut log = self.log();
        self.reopen(&mut log)
    }

    /// When the file changed last.
    pub(super) fn changed_at(&self, name: &str) -> Since {
        let place = self.place.load();
        let Some(Ok(watch)) = place.as_ref().map(|place| place.watch.as_ref()) else { return Since::Unknown };
        let log = if watch.peek() == Peek::Quiet { self.log() } else { self.take(&place) };
        Since::Revision(log.files.get(name).copied().unwrap_or(0).max(log.everything))
    }

    /// Why there is no watch, if there is none.
    pub(super) fn fall_back(&self) -> Option<String> {
        let place = self.place.load_full()?;
        place.watch.as_ref().err().map(ToString::to_string)
    }

    /// Waits until the revision is another than `since`.
    pub(super) async fn changed(&self, since: Option<u64>) {
        let Some(since) = since else { return look_again().await };
        let queue = match self.place.load_full().as_deref() {
            Some(Place { watch: Ok(watch), .. }) => std::os::fd::AsFd::as_fd(watch).try_clone_to_owned(),
            _ => return look_again().await,
        };
        #[expect(
            deprecated,
            reason = "sound here: the descriptor is owned, and closed only after it was taken off"
        )]
        let listen = |queue| AsyncFd::with_interest(queue, Interest::READABLE);
        let Ok(queue) = queue.and_then(listen) else { return look_again().await };
        // Listening first, looking second: what happened before is counted, what happens after is heard.
        while self.revision() == Some(since) {
            match queue.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return,
            }
        }
    }

    /// Takes what happened and notes it.
    fn take(&self, place: &Guard<Option<Arc<Place>>>) -> MutexGuard<'_, ChangeLog> {
        let mut log = self.log();
        let Some(Ok(watch)) = place.as_ref().map(|place| place.watch.as_ref()) else { return log };
        let revision = self.revision.fetch_add(1, Ordering::SeqCst) + 1;
        match watch.drain() {
            Changes::Names(names) => log.files.extend(names.into_iter().map(|name| (name, revision))),
            Changes::Everything => log.everything = revision,
            // Nobody is let in by a directory that is not there: whoever asks next gets no revision, and opens it.
            Changes::Replaced => drop(self.reopen(&mut log)),
        }
        log
    }

    fn reopen(&self, log: &mut ChangeLog) -> Result<Arc<Place>, DirError> {
        log.everything = self.revision.fetch_add(1, Ordering::SeqCst) + 1;
        log.files.clear();
        match Dir::open(&self.path) {
            Ok(credentials) => {
                let watch = Watch::new(&credentials);
                if let Err(error) = &watch {
                    tracing::warn!("{error}");
                }
                let place = Arc::new(Place { credentials, watch });
                self.place.store(Some(Arc::clone(&place)));
                Ok(place)
            }
            Err(error) => {
                self.place.store(None);
                Err(error)
            }
        }
    }

    fn log(&self) -> MutexGuard<'_, ChangeLog> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where nothing reports changes: the next look is a moment later.
async fn look_again() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}
