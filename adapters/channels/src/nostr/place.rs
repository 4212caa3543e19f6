//! What was taken, remembered over restarts.
//!
//! Relays give the last two days again and again, so what was taken must not be forgotten sooner. Since memory has an end,
//! it is two generations: when the younger one is full it becomes the older one, and the older one is forgotten. From then
//! on what claims to have been said before that one ended counts as taken: in a flood, late messages are lost, and none is
//! answered twice.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// How many ids a generation holds. A message has two, its wrap's and its own.
pub(super) const GENERATION: usize = 10_000;

/// What outlives a restart.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// Whose it is: another key begins anew.
    pub(super) key: String,
    /// What was said before this, in seconds since 1970, was taken or is lost.
    floor: u64,
    /// When the older generation ended, by our clock.
    turned: u64,
    old: HashSet<u64>,
    new: HashSet<u64>,
}

/// What was taken and what is being taken now.
#[derive(Default)]
pub(super) struct Taken(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    place: Place,
    taking: HashSet<u64>,
    is_saved: bool,
}

/// A message that is being taken; dropped, it was not.
pub(super) struct Taking<'a> {
    taken: &'a Taken,
    id: u64,
}

impl Taken {
    /// Goes on from what was kept.
    pub(super) fn resume(&self, place: Place, key: &str) {
        let mut memory = self.memory();
        if memory.place.key == key {
            return;
        }
        let kept = if place.key == key { place } else { Place { key: key.to_owned(), ..Place::default() } };
        *memory = Memory { place: kept, ..Memory::default() };
    }

    /// What is to be kept, if there is news.
    pub(super) fn news(&self) -> Option<Place> {
        let mut memory = self.memory();
        let is_saved = std::mem::replace(&mut memory.is_saved, true);
        (!is_saved).then(|| memory.place.clone())
    }

    /// Whether this was taken, or is being taken.
    pub(super) fn knows(&self, id: &[u8; 32]) -> bool {
        self.memory().knows(short(id))
    }

    /// Whether this was taken.
    pub(super) fn has(&self, id: &[u8; 32]) -> bool {
        self.memory().place.has(short(id))
    }

    /// Notes a wrap that need not be opened again.
    pub(super) fn note(&self, id: &[u8; 32], now: u64) {
        self.memory().note(short(id), now);
    }

    /// Begins to take what was said at `at`; `None` if it was taken, or is being taken.
    pub(super) fn begin(&self, id: &[u8; 32], at: u64) -> Option<Taking<'_>> {
        let mut memory = self.memory();
        let id = short(id);
        if memory.knows(id) || at < memory.place.floor {
            return None;
        }
        memory.taking.insert(id);
        Some(Taking { taken: self, id })
    }

    /// How many messages are being taken.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.memory().taking.len()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taking<'_> {
    /// It was taken.
    pub(super) fn done(self, now: u64) {
        self.taken.memory().note(self.id, now);
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.taken.memory().taking.remove(&self.id);
    }
}

impl Place {
    fn has(&self, id: u64) -> bool {
        self.new.contains(&id) || self.old.contains(&id)
    }
}

impl Memory {
    fn knows(&self, id: u64) -> bool {
        self.place.has(id) || self.taking.contains(&id)
    }

    fn note(&mut self, id: u64, now: u64) {
        let place = &mut self.place;
        if place.new.len() >= GENERATION {
            place.old = std::mem::take(&mut place.new);
            place.floor = std::mem::replace(&mut place.turned, now);
        }
        place.new.insert(id);
        self.is_saved = false;
    }
}

/// An id is a hash: its head tells it from all others, and nobody knows one beforehand.
fn short(id: &[u8; 32]) -> u64 {
    id.iter().take(8).fold(0, |head, byte| head << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::KEPT_LIMIT;

    fn id(number: usize) -> [u8; 32] {
        let mut id = [0xff; 32];
        id[..8].copy_from_slice(&(u64::MAX - number as u64).to_be_bytes());
        id
    }

    #[test]
    fn what_is_taken_is_known_and_what_was_not_comes_again() {
        let taken = Taken::default();
        let taking = taken.begin(&id(1), 5).unwrap();
        assert!(taken.begin(&id(1), 5).is_none(), "another relay gives it at the same time");
        assert!(taken.news().is_some_and(|place| place.new.is_empty()), "it is not taken yet");
        assert!(taken.knows(&id(1)) && !taken.has(&id(1)));
        drop(taking);
        taken.begin(&id(1), 5).unwrap().done(6);
        assert!(taken.knows(&id(1)) && taken.begin(&id(1), 5).is_none());
        let place = taken.news().unwrap();
        assert!(taken.news().is_none());

        let again = Taken::default();
        again.resume(Place { key: "me".to_owned(), ..place.clone() }, "me");
        assert!(again.knows(&id(1)));
        let other = Taken::default();
        other.resume(Place { key: "me".to_owned(), ..place }, "you");
        assert!(!other.knows(&id(1)));
    }

    #[test]
    fn memory_has_an_end_and_nothing_counts_twice_for_that() {
        let taken = Taken::default();
        taken.resume(Place::default(), "key");
        for number in 0..3 * GENERATION {
            taken.begin(&id(number), 1_000).unwrap().done(100 + (number / GENERATION) as u64);
            if number == 2 * GENERATION - 1 {
                assert!(taken.knows(&id(0)), "two generations are remembered");
            }
        }
        taken.note(&id(3 * GENERATION), 103);
        assert!(!taken.knows(&id(0)) && !taken.knows(&id(GENERATION)) && taken.knows(&id(2 * GENERATION)));
        assert!(taken.begin(&id(0), 101).is_none(), "what was said before the forgotten ended");
        assert!(taken.begin(&id(0), 102).is_some());
        let document = serde_json::to_string(&taken.news().unwrap()).unwrap();
        assert!(document.len() < KEPT_LIMIT / 2, "{}", document.len());
    }
}
