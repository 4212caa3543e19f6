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
        self.entries(*from, *to).any(|entry| entry == (tag(hash), id))
    }

    #[inline]
    fn entries(&self, from: u32, to: u32) -> Entries<'_> {
        Entries(self.arena.get(from as usize..to as usize).unwrap_or_default())
    }

    /// The ids, each once.
    fn distinct(&self) -> impl Iterator<Item = &[u8]> {
        let starts = self.index.iter().copied();
        starts.clone().zip(starts.skip(1)).flat_map(move |(from, to)| {
            let is_new = move |(at, entry): &(usize, (u8, &[u8]))| {
                !self.entries(from, to).take(*at).any(|before| before == *entry)
            };
            self.entries(from, to).enumerate().filter(is_new).map(|(_, (_, id))| id)
        })
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

/// An entry's first byte can say each length that an id has.
const _: () = assert!(SenderId::MAX_BYTES == u8::MAX as usize + 1);

/// The bytes of an id's entry.
fn size(id: &[u8]) -> u32 {
    u32::try_from(id.len() + 2).unwrap_or(u32::MAX)
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
    /// The ids as they came, in the form of the arena; their tags are made in the end.
    ids: Vec<u8>,
    len: usize,
}

impl IdSetBuilder {
    /// Adds an id. Beyond 4 GiB of them it is left out, and the set's length tells.
    pub fn insert(&mut self, id: &SenderId) {
        self.push(id.as_str().as_bytes());
    }

    fn push(&mut self, id: &[u8]) {
        let is_room = u32::try_from(self.ids.len() + id.len() + 2).is_ok();
        if let (true, Ok(less_one)) = (is_room, u8::try_from(id.len().saturating_sub(1))) {
            self.ids.extend([less_one, 0]);
            self.ids.extend_from_slice(id);
            self.len += 1;
        }
    }

    /// The finished set.
    #[must_use]
    pub fn build(self) -> IdSet {
        let set = self.in_order();
        drop(self);
        if set.distinct().count() == set.len {
            return set;
        }
        let mut once = Self::default();
        set.distinct().for_each(|id| once.push(id));
        once.in_order()
    }

    /// The ids in the order of their buckets: counted first, then put where the count says. What came twice is there twice.
    fn in_order(&self) -> IdSet {
        let mut index = vec![0_u32; self.len + 1].into_boxed_slice();
        let mut arena = vec![0_u8; self.ids.len()].into_boxed_slice();
        let hashed = || Entries(&self.ids).map(|(_, id)| (HASHER.hash_one(id), id));
        for (hash, id) in hashed() {
            let bytes = index.get_mut(bucket(hash, self.len));
            bytes.into_iter().for_each(|bytes| *bytes += size(id));
        }
        let mut end = 0;
        for bucket in &mut index {
            end += *bucket;
            *bucket = end;
        }
        // Each bucket is filled from its end on, so that the index says in the end where it begins.
        for (hash, id) in hashed() {
            let Some(start) = index.get_mut(bucket(hash, self.len)) else { continue };
            *start -= size(id);
            let free = arena.get_mut(*start as usize..).and_then(|free| free.get_mut(..id.len() + 2));
            if let (Some([length, its_tag, bytes @ ..]), Ok(less_one)) = (free, u8::try_from(id.len() - 1)) {
                (*length, *its_tag) = (less_one, tag(hash));
                bytes.copy_from_slice(id);
            }
        }
        IdSet { index, arena, len: self.len }
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
        let long = "x".repeat(SenderId::MAX_BYTES);
        let ids: Vec<SenderId> =
            (0..5_000).map(|n| id(&n.to_string())).chain([id("a"), id(&long), id("user@host")]).collect();
        let set: IdSet = ids.iter().chain(&ids).collect();
        assert_eq!(set.len(), ids.len(), "what is there twice counts once");
        assert_eq!(set.index.len(), ids.len() + 1, "and takes no room");
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
