//! What came twice: platforms repeat what they think we did not get.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The last ids that came in. The oldest is forgotten for the newest, so it never grows.
pub(crate) struct Dedupe<T> {
    limit: usize,
    seen: Mutex<Seen<T>>,
}

struct Seen<T> {
    set: HashSet<T>,
    order: VecDeque<T>,
}

impl<T: Clone + Eq + Hash> Dedupe<T> {
    /// Remembers the last `limit` ids.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, seen: Mutex::new(Seen { set: HashSet::new(), order: VecDeque::new() }) }
    }

    /// Notes an id; `false` if it was noted before.
    pub(crate) fn is_new(&self, id: T) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.set.insert(id.clone()) {
            return false;
        }
        seen.order.push_back(id);
        if seen.order.len() > self.limit
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.set.remove(&oldest);
        }
        true
    }

    /// Forgets an id: nobody took what came with it, and it is to come again.
    pub(crate) fn forget(&self, id: &T) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.set.remove(id) {
            seen.order.retain(|noted| noted != id);
        }
    }

    /// The last `count` ids, the oldest first: what has to outlive a restart.
    pub(crate) fn latest(&self, count: usize) -> Vec<T> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.order.iter().skip(seen.order.len().saturating_sub(count)).cloned().collect()
    }

    /// How many ids are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(seen.order.len(), seen.set.len());
        seen.set.len()
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
}
