//! Who is on a list: an immutable set of ids that is looked up on every message and allocates nothing for it.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use crate::message::SenderId;

/// A set of ids, in the order of their hashes. Those of one bucket stand side by side, and an index says where each bucket
/// begins, as many as there are ids: so a look-up meets two places in memory, however long the list.
///
/// An entry costs its bytes and two more, and four of the index. On a hit the whole id is compared, never a hash alone.
#[derive(Default)]
pub struct IdSet {
    /// Where each bucket begins, and where the last one ends.
    index: Box<[u32]>,
    /// The ids, as [`Entries`] reads them.
    arena: Box<[u8]>,
    len: usize,
}

/// Seeded once per process, so that nobody outside can search for ids that collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

impl IdSet {
    /// Whether the id is in the set.
    #[must_use]
    #[inline]
    pub fn contains(&self, id: &SenderId) -> bool {
        // Of the three lists that are asked, two are empty nearly always.
        self.len != 0 && self.finds(id.as_str().as_bytes())
    }

    // INVARIANT I15: the whole id is compared, never only its hash.
    fn finds(&self, id: &[u8]) -> bool {
        let hash = HASHER.hash_one(id);
        let at = bucket(hash, self.index.len().saturating_sub(1));
        let (Some(from), Some(to)) = (self.index.get(at), self.index.get(at + 1)) else { return false };
        let ids = self.arena.get(*from as usize..*to as usize).unwrap_or_default();
        Entries(ids).any(|entry| entry == (tag(hash), id))
    }

    /// How many ids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The ids of a piece of the arena, each with the tag of its hash. An id is kept as its length less one in a byte, the tag,
/// its bytes.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = (u8, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let [less_one, tag, rest @ ..] = self.0 else { return None };
        let (id, rest) = rest.split_at_checked(usize::from(*less_one) + 1)?;
        self.0 = rest;
        Some((*tag, id))
    }
}

/// Where an id of this hash belongs: the buckets share out the range of hashes evenly.
fn bucket(hash: u64, buckets: usize) -> usize {
    usize::try_from((u128::from(hash) * buckets as u128) >> 64).unwrap_or_default()
}

/// Bits of the hash that the bucket does not depend on: most other ids are passed by without a look at their bytes.
fn tag(hash: u64) -> u8 {
    let [lowest, ..] = hash.to_le_bytes();
    lowest
}

/// Collects ids; what is there already counts once.
#[derive(Default)]
pub struct IdSetBuilder {
    hashes: Vec<u64>,
    bytes: Vec<u8>,
    /// Where each id ends in `bytes`.
    ends: Vec<u32>,
}

impl IdSetBuilder {
    /// Adds an id.
    pub fn insert(&mut self, id: &SenderId) {
        let bytes = id.as_str().as_bytes();
        let end = u32::try_from(self.arena_size() + bytes.len() + 2);
        let (Ok(_), true) = (end, (1..=256).contains(&bytes.len())) else {
            // Beyond 4 GiB of ids, or no id: what can't be held lets nobody in.
            return;
        };
        self.bytes.extend_from_slice(bytes);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or_default());
        self.hashes.push(HASHER.hash_one(bytes));
    }

    /// The finished set.
    #[must_use]
    pub fn build(self) -> IdSet {
        let buckets = self.hashes.len();
        let (mut index, mut len) = (Vec::with_capacity(buckets + 1), 0);
        let mut arena: Vec<u8> = Vec::with_capacity(self.arena_size());
        let mut ids = self.in_order(buckets).into_iter().peekable();
        for at in 0..buckets {
            let start = arena.len();
            index.push(u32::try_from(start).unwrap_or(u32::MAX));
            while let Some((hash, id)) = ids.next_if(|(hash, _)| bucket(*hash, buckets) == at) {
                let mut same = Entries(arena.get(start..).unwrap_or_default());
                let is_there = same.any(|entry| entry == (tag(hash), id));
                if let (false, Ok(less_one)) = (is_there, u8::try_from(id.len() - 1)) {
                    arena.extend([less_one, tag(hash)]);
                    arena.extend_from_slice(id);
                    len += 1;
                }
            }
        }
        index.push(u32::try_from(arena.len()).unwrap_or(u32::MAX));
        arena.shrink_to_fit();
        IdSet { index: index.into(), arena: arena.into(), len }
    }

    /// The ids with their hashes in the order of their buckets: counted first, then put where the count says.
    fn in_order(&self, buckets: usize) -> Vec<(u64, &[u8])> {
        let mut places = vec![0_usize; buckets + 1];
        for hash in &self.hashes {
            if let Some(next) = places.get_mut(bucket(*hash, buckets) + 1) {
                *next += 1;
            }
        }
        let mut before = 0;
        for place in &mut places {
            before += *place;
            *place = before;
        }
        let mut ordered = vec![(0, &[][..]); self.hashes.len()];
        let starts = std::iter::once(&0).chain(&self.ends);
        for (hash, (from, to)) in self.hashes.iter().zip(starts.zip(&self.ends)) {
            let place = places.get_mut(bucket(*hash, buckets));
            if let Some((place, id)) = place.zip(self.bytes.get(*from as usize..*to as usize)) {
                ordered.get_mut(*place).into_iter().for_each(|free| *free = (*hash, id));
                *place += 1;
            }
        }
        ordered
    }

    fn arena_size(&self) -> usize {
        self.bytes.len() + 2 * self.hashes.len()
    }
}

impl<'a> FromIterator<&'a SenderId> for IdSet {
    fn from_iter<I: IntoIterator<Item = &'a SenderId>>(ids: I) -> Self {
        let mut builder = IdSetBuilder::default();
        ids.into_iter().for_each(|id| builder.insert(id));
        builder.build()
    }
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
        assert_eq!(set.len(), ids.len(), "what is there twice counts once");
        assert!(ids.iter().all(|id| set.contains(id)));
        for other in ["5000", "user", "host", "ser@host", "user@hos", "A", &"x".repeat(255)] {
            assert!(!set.contains(&id(other)), "{other}");
        }
        // Many enough that of some the bucket, the length and the tag are those of an id that is in.
        assert!((5_000..50_000).all(|n| !set.contains(&id(&n.to_string()))));
        assert!(!IdSet::default().contains(&id("a")));
        assert!(IdSet::default().is_empty() && !set.is_empty());
    }
}
