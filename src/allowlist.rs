//! Who is on a list: an immutable set of ids that is looked up on every message and allocates nothing for it.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::message::SenderId;

/// A set of ids: one arena of bytes, and a table of where each begins.
///
/// An entry costs its bytes, one byte of length, and 4 to 10 bytes of table. On a hit the whole id is compared, never a
/// hash alone.
#[derive(Default)]
pub struct IdSet {
    /// Each id: its length less one as a byte, then its bytes.
    arena: Box<[u8]>,
    table: HashTable<u32>,
}

/// Seeded once per process, so that nobody outside can search for ids that collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

impl IdSet {
    /// Whether the id is in the set.
    #[must_use]
    #[inline]
    pub fn contains(&self, id: &SenderId) -> bool {
        // Of the three lists that are asked, two are empty nearly always.
        !self.table.is_empty() && self.finds(id.as_str().as_bytes())
    }

    // INVARIANT I15: the whole id is compared, never only its hash.
    fn finds(&self, bytes: &[u8]) -> bool {
        self.table.find(HASHER.hash_one(bytes), |at| id_at(&self.arena, *at) == bytes).is_some()
    }

    /// How many ids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// Collects ids; what is there already is not added again.
#[derive(Default)]
pub struct IdSetBuilder {
    arena: Vec<u8>,
    table: HashTable<u32>,
}

impl IdSetBuilder {
    /// A builder with room for `ids` of about `bytes` together.
    #[must_use]
    pub fn with_capacity(ids: usize, bytes: usize) -> Self {
        Self { arena: Vec::with_capacity(bytes.saturating_add(ids)), table: HashTable::with_capacity(ids) }
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, ids: usize) {
        let arena = &self.arena;
        self.table.reserve(ids, |at| HASHER.hash_one(id_at(arena, *at)));
    }

    /// Adds an id.
    pub fn insert(&mut self, id: &SenderId) {
        let bytes = id.as_str().as_bytes();
        let hash = HASHER.hash_one(bytes);
        let (Ok(at), Ok(length)) =
            (u32::try_from(self.arena.len()), u8::try_from(bytes.len().wrapping_sub(1)))
        else {
            // Beyond 4 GiB of ids, or not 1 to 256 bytes: what can't be held lets nobody in.
            return;
        };
        if self.table.find(hash, |at| id_at(&self.arena, *at) == bytes).is_none() {
            self.arena.push(length);
            self.arena.extend_from_slice(bytes);
            let arena = &self.arena;
            self.table.insert_unique(hash, at, |at| HASHER.hash_one(id_at(arena, *at)));
        }
    }

    /// The finished set.
    #[must_use]
    pub fn build(mut self) -> IdSet {
        let arena = self.arena.into_boxed_slice();
        self.table.shrink_to_fit(|at| HASHER.hash_one(id_at(&arena, *at)));
        IdSet { arena, table: self.table }
    }
}

impl<'a> FromIterator<&'a SenderId> for IdSet {
    fn from_iter<I: IntoIterator<Item = &'a SenderId>>(ids: I) -> Self {
        let mut builder = IdSetBuilder::default();
        ids.into_iter().for_each(|id| builder.insert(id));
        builder.build()
    }
}

fn id_at(arena: &[u8], at: u32) -> &[u8] {
    let start = at as usize;
    let length = arena.get(start).map_or(0, |less_one| usize::from(*less_one) + 1);
    arena.get(start + 1..start + 1 + length).unwrap_or_default()
}

impl std::fmt::Debug for IdSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdSet({} ids)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ChannelId;

    fn id(text: &str) -> SenderId {
        SenderId::parse(&ChannelId::parse("custom").unwrap(), text).unwrap()
    }

    #[test]
    fn i15_only_whole_ids_are_found() {
        let long = "x".repeat(256);
        let ids: Vec<SenderId> =
            (0..5_000).map(|n| id(&n.to_string())).chain([id("a"), id(&long), id("user@host")]).collect();
        let set: IdSet = ids.iter().chain(&ids).collect();
        assert_eq!(set.len(), ids.len());
        assert!(ids.iter().all(|id| set.contains(id)));
        for other in ["5000", "user", "host", "ser@host", "user@hos", "A", &"x".repeat(255)] {
            assert!(!set.contains(&id(other)), "{other}");
        }
        assert!(!IdSet::default().contains(&id("a")));
        assert!(IdSet::default().is_empty() && !set.is_empty());
    }
}
