//! Changes beside readers that take their events from the queues, each in its own lane.

use std::sync::Arc;

use super::freshness::{Freshness, Since};
use super::kernel::{self, LANES, Lane};
use crate::play;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The file as it was read.
struct Seen {
    revision: Option<u64>,
    change: u64,
}

impl Seen {
    /// As `View::load` reads it: the revision first.
    fn load(freshness: &Freshness) -> Self {
        let revision = freshness.revision();
        match freshness.place() {
            Ok(place) => Self { revision, change: place.credentials.read() },
            Err(_) => Self { revision: None, change: 0 },
        }
    }

    /// Whether it serves on: the gate compares revisions, then `View::unchanged` asks when the file changed. What did not
    /// counts as read at the later revision.
    fn serves(&mut self, freshness: &Freshness) -> bool {
        let (Some(read), Some(now)) = (self.revision, freshness.revision()) else { return false };
        let serves = now == read || freshness.changed_at(kernel::NAME) <= Since::Revision(read);
        self.revision = serves.then_some(now);
        serves
    }
}

/// One thread does this, while each lane has a reader.
fn beside_readers(changes: impl Fn(&AtomicU64)) {
    let freshness = Arc::new(Freshness::new("credentials".into(), true));
    freshness.place().unwrap();
    let before = freshness.revision().unwrap();
    // The last change that returned to who made it.
    let returned = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..LANES)
        .map(|lane| {
            let (freshness, returned) = (Arc::clone(&freshness), Arc::clone(&returned));
            loom::thread::spawn(move || {
                Lane::choose(lane);
                let mut seen = Seen::load(&freshness);
                for _ in 0..2 {
                    let change = returned.load(Ordering::Acquire);
                    if seen.serves(&freshness) {
                        assert!(seen.change >= change, "{} serves after {change} returned", seen.change);
                    }
                    if change > 0 {
                        assert_ne!(freshness.revision(), Some(before));
                    }
                }
            })
        })
        .collect();
    changes(&returned);
    for reader in readers {
        reader.join().unwrap();
    }
    assert!(Seen::load(&freshness).change >= returned.load(Ordering::Acquire));
    assert!(freshness.revision().is_some(), "the watch goes on");
}

/// The file is written once, twice.
pub fn writes(times: u64, interruptions: usize) {
    play(interruptions, move || {
        beside_readers(|returned| {
            for change in 1..=times {
                kernel::write(change);
                returned.store(change, Ordering::Release);
            }
        });
    });
}

/// The directory is replaced.
pub fn replacement(interruptions: usize) {
    play(interruptions, || {
        beside_readers(|returned| {
            kernel::replace(1);
            returned.store(1, Ordering::Release);
        });
    });
}

/// Somebody waits for the change, while another takes its events from the queues, and opens a directory that was replaced.
pub fn waiting(change: fn(u64), interruptions: usize) {
    play(interruptions, move || {
        let freshness = Arc::new(Freshness::new("credentials".into(), true));
        freshness.place().unwrap();
        Lane::choose(1);
        let before = freshness.revision();
        let reader = loom::thread::spawn({
            let freshness = Arc::clone(&freshness);
            move || {
                let seen = Seen::load(&freshness).revision;
                assert!(seen.is_none() || seen >= before);
            }
        });
        let writer = loom::thread::spawn(move || change(1));
        loom::future::block_on(freshness.changed(before));
        assert_ne!(freshness.revision(), before);
        reader.join().unwrap();
        writer.join().unwrap();
    });
}
