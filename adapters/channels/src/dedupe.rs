//! What came twice: platforms repeat what they think we did not get.
//!
//! An id is new, under way, or taken. A web hook [claims](Dedupe::claim) the ids of its events before the gate has them,
//! and they are taken when it does; what repeats them meanwhile is told to come again, so that whatever happens to the first
//! loses nothing. Who confirms by itself, as a poll does, [notes](Dedupe::is_new) them at once.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmgate::{InboundMessage, Webhook};
use http::StatusCode;

/// The last ids that came in. The oldest is forgotten for the newest, so it never grows.
pub(crate) struct Dedupe<T: Clone + Eq + Hash>(Arc<Shared<T>>);

struct Shared<T> {
    limit: usize,
    seen: Mutex<Seen<T>>,
}

struct Seen<T> {
    taken: HashSet<T>,
    order: VecDeque<T>,
    /// As many as there are [`Claim`]s.
    under_way: HashSet<T>,
}

/// Ids that are under way. Dropped before they are taken, they are new again.
pub(crate) struct Claim<T: Clone + Eq + Hash> {
    ids: Vec<T>,
    of: Arc<Shared<T>>,
}

/// That an event has to come again: it is under way already, and nobody knows yet whether it will be taken; or what
/// is needed to read it is not to be had just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Again;

impl<T: Clone + Eq + Hash> Dedupe<T> {
    /// Remembers the last `limit` ids.
    pub(crate) fn new(limit: usize) -> Self {
        let seen = Seen { taken: HashSet::new(), order: VecDeque::new(), under_way: HashSet::new() };
        Self(Arc::new(Shared { limit, seen: Mutex::new(seen) }))
    }

    /// Claims the ids of one event, several where a platform has several for it. `None` if it was taken before, under
    /// whichever of them.
    pub(crate) fn claim(&self, ids: impl IntoIterator<Item = T>) -> Result<Option<Claim<T>>, Again> {
        let mut ids: Vec<T> = ids.into_iter().collect();
        let mut seen = self.0.seen();
        if ids.iter().any(|id| seen.under_way.contains(id)) {
            return Err(Again);
        }
        if ids.iter().any(|id| seen.taken.contains(id)) {
            for id in ids {
                seen.note(id, self.0.limit);
            }
            return Ok(None);
        }
        ids.retain(|id| seen.under_way.insert(id.clone()));
        Ok(Some(Claim { ids, of: Arc::clone(&self.0) }))
    }

    /// Puts a message into the answer to a web hook, unless its id was taken before. With the answer it is taken, or new
    /// again. One without an id counts each time.
    pub(crate) fn answer(
        &self,
        hook: &mut Webhook,
        id: Option<T>,
        message: InboundMessage,
    ) -> Result<(), Again>
    where
        T: Send + 'static,
    {
        match id.map(|id| self.claim([id])).transpose()? {
            None => hook.messages.push(message),
            Some(None) => {}
            Some(Some(claim)) => claim.answer(hook, message),
        }
        Ok(())
    }

    /// Notes an id as taken; `false` if it was noted or claimed before.
    pub(crate) fn is_new(&self, id: T) -> bool {
        let mut seen = self.0.seen();
        !seen.under_way.contains(&id) && seen.note(id, self.0.limit)
    }

    /// Forgets an id: nobody took what came with it, and it is to come again.
    pub(crate) fn forget(&self, id: &T) {
        let mut seen = self.0.seen();
        if seen.taken.remove(id) {
            seen.order.retain(|noted| noted != id);
        }
    }

    /// The last `count` ids that were taken, the oldest first: what has to outlive a restart.
    pub(crate) fn latest(&self, count: usize) -> Vec<T> {
        let seen = self.0.seen();
        seen.order.iter().skip(seen.order.len().saturating_sub(count)).cloned().collect()
    }

    /// How many ids are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let seen = self.0.seen();
        assert_eq!((seen.order.len(), seen.under_way.len()), (seen.taken.len(), 0));
        seen.taken.len()
    }
}

impl<T> Shared<T> {
    fn seen(&self) -> MutexGuard<'_, Seen<T>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Eq + Hash> Seen<T> {
    fn note(&mut self, id: T, limit: usize) -> bool {
        if !self.taken.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.taken.remove(&oldest);
        }
        true
    }
}

impl<T: Clone + Eq + Hash> Claim<T> {
    /// The gate has what came with the ids: from now on they are remembered.
    pub(crate) fn taken(mut self) {
        let mut seen = self.of.seen();
        for id in take(&mut self.ids) {
            seen.under_way.remove(&id);
            seen.note(id, self.of.limit);
        }
    }
}

impl<T: Clone + Eq + Hash + Send + 'static> Claim<T> {
    /// Puts the message of these ids into the answer to a web hook, with which they are taken or new again.
    pub(crate) fn answer(self, hook: &mut Webhook, message: InboundMessage) {
        hook.add(message, || self.taken());
    }
}

impl<T: Clone + Eq + Hash> Drop for Claim<T> {
    fn drop(&mut self) {
        if !self.ids.is_empty() {
            let mut seen = self.of.seen();
            for id in &self.ids {
                seen.under_way.remove(id);
            }
        }
    }
}

/// The platform is to come again.
impl From<Again> for StatusCode {
    fn from(_: Again) -> Self {
        Self::SERVICE_UNAVAILABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_until_it_is_forgotten() {
        let dedupe = Dedupe::new(2);
        assert!(dedupe.is_new(1) && dedupe.is_new(2));
        assert!(!dedupe.is_new(1) && !dedupe.is_new(2));
        assert!(dedupe.is_new(3), "forgets 1");
        assert!(!dedupe.is_new(2) && dedupe.is_new(1));
        assert_eq!(dedupe.len(), 2);
        assert_eq!((dedupe.latest(1), dedupe.latest(9)), (vec![1], vec![3, 1]));
        dedupe.forget(&3);
        assert_eq!((dedupe.len(), dedupe.is_new(3)), (1, true));
    }

    #[test]
    fn what_is_under_way_is_neither_new_nor_taken() {
        let dedupe = Dedupe::new(9);
        let first = dedupe.claim([1]).unwrap().unwrap();
        assert_eq!(dedupe.claim([1]).err(), Some(Again));
        assert_eq!((dedupe.is_new(1), dedupe.latest(9)), (false, vec![]));
        drop(first);
        dedupe.claim([1]).unwrap().unwrap().taken();
        assert!(dedupe.claim([1]).unwrap().is_none());
        assert_eq!((dedupe.latest(9), dedupe.len()), (vec![1], 1));
    }

    #[test]
    fn an_event_of_several_ids_is_known_by_each() {
        let dedupe = Dedupe::new(9);
        let first = dedupe.claim([1, 2, 2]).unwrap().unwrap();
        assert_eq!(dedupe.claim([2, 3]).err(), Some(Again));
        first.taken();
        assert!(dedupe.claim([2, 3]).unwrap().is_none() && dedupe.claim([3]).unwrap().is_none());
        assert_eq!(dedupe.len(), 3);
    }
}
