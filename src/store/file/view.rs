//! What the files of a channel say, read once and again only when they changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use sha2::{Digest, Sha256};

use super::disk::{Dir, Identity};
use super::document::{PendingDocument, StoredRequest, visit_allow_entries};
use super::freshness::{Freshness, Place, Since};
use super::journal::Journal;
use super::trouble::Trouble;
use super::{names, trouble};
use crate::allowlist::{IdSet, IdSetBuilder};
use crate::clock::{Timestamp, World};
use crate::decision::Fault;
use crate::message::{AccountId, AccountKey, ChannelId, IdError, SenderId, Source};
use crate::pairing::record::Record;
use crate::pairing::{ChannelState, PairingCode, Request, RequestId};
use crate::policy::HOUR;
use crate::store::{Loaded, Snapshot, blocked_set};

/// The files of one channel as they were last read. One thread at a time reads.
pub(super) struct View {
    channel: ChannelId,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    pending: Option<Cached<Requests>>,
    journal: Option<Cached<Record>>,
    allowed: HashMap<AccountId, Cached<IdSet>>,
    snapshots: HashMap<AccountId, Arc<Snapshot>>,
    /// Pending and journal together, for the snapshots of all accounts.
    state: Option<Result<Arc<ChannelState>, Fault>>,
}

/// A part, and in which state its files were.
struct Cached<T> {
    value: Result<Arc<T>, Fault>,
    read_at: Option<u64>,
    /// `None`: they could not be looked at.
    identities: Option<Vec<Option<Identity>>>,
    is_settled: bool,
}

impl View {
    pub(super) fn new(channel: ChannelId) -> Self {
        Self { channel, cache: Mutex::default() }
    }

    /// The snapshot of an account, if none of its files changed since it was made; reads nothing.
    pub(super) fn unchanged(&self, account: &AccountKey, freshness: &Freshness) -> Option<Loaded> {
        let revision = Some(freshness.revision()?);
        // Who asks here must not wait: somebody may be reading a long list.
        let cache = match self.cache.try_lock() {
            Ok(cache) => cache,
            Err(TryLockError::Poisoned(broken)) => broken.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        cache.state.as_ref()?;
        let snapshot = Arc::clone(cache.snapshots.get(account.account())?);
        let holds = |read_at: Option<u64>, names: &[String]| {
            names.iter().all(|name| match (freshness.changed_at(name), read_at) {
                (Since::Revision(changed), Some(read)) => changed <= read,
                _ => false,
            })
        };
        let all = holds(cache.pending.as_ref()?.read_at, &[names::pending(&self.channel)])
            && holds(cache.journal.as_ref()?.read_at, &[names::journal(&self.channel)])
            && holds(cache.allowed.get(account.account())?.read_at, &names::allowed(account));
        all.then_some(Loaded { revision, snapshot })
    }

    /// The state of an account as its files are now. Reads what changed.
    pub(super) fn load(&self, account: &AccountKey, freshness: &Freshness, world: &World) -> Loaded {
        // Taken before anything is read, and before the directory is looked at: what happens from here on, also that the
        // directory is replaced, is another revision.
        let revision = freshness.revision();
        let place = match freshness.place() {
            Ok(place) => place,
            Err(error) => {
                let fault = trouble::fault(&error);
                return Loaded { revision: None, snapshot: Arc::new(Snapshot::unavailable(&fault)) };
            }
        };
        // Where that could not be told for a directory that was replaced, it holds from when the other was opened.
        let revision = revision.or_else(|| place.noted_from.as_ref().ok().copied());
        let reading = Reading { place: &place, freshness, revision, now: world.clock.now() };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let Cache { pending, journal, allowed, snapshots, state } = &mut *cache;
        let channel = &self.channel;
        // Put back at the end: where a panic is in between, neither it nor a snapshot is taken for what the parts say.
        let last = state.take();
        let pending_is_new =
            reading.refresh(pending, &[names::pending(channel)], |dir| requests(channel, dir));
        let journal_is_new =
            reading.refresh(journal, &[names::journal(channel)], |dir| Ok(journal_of(channel, dir)?.record));
        let last = last.filter(|_| !pending_is_new && !journal_is_new);
        if last.is_none() {
            snapshots.clear();
        }
        *state = last.or_else(|| joined(pending.as_ref(), journal.as_ref()));
        let mut list = allowed.remove(account.account());
        let list_names = names::allowed(account);
        let allowed_is_new = reading.refresh(&mut list, &list_names, |dir| id_set(channel, &list_names, dir));
        let no_list = || Err(Fault::unreadable("not read"));
        let value = |list: &Cached<IdSet>| list.value.clone();
        let set = list.as_ref().map_or_else(no_list, value);
        // Trouble that passes without an event is looked at again by the next message.
        let read_at = [
            pending.as_ref().and_then(|part| part.read_at),
            journal.as_ref().and_then(|part| part.read_at),
            list.as_ref().and_then(|part| part.read_at),
        ];
        let revision = revision.filter(|_| read_at.iter().all(Option::is_some));
        if allowed_is_new {
            snapshots.remove(account.account());
        }
        if let Some(list) = list {
            allowed.insert(account.account().clone(), list);
        }
        let record = journal.as_ref().map_or_else(|| Err(Fault::unreadable("not read")), |j| j.value.clone());
        let make = || {
            let record =
                record.and_then(|record| Ok((Arc::new(blocked_set(&record, account.account())?), record)));
            let pending = state.clone().unwrap_or_else(|| Err(Fault::unreadable("not read")));
            Arc::new(Snapshot { allowed: set, record, pending })
        };
        let snapshot = Arc::clone(snapshots.entry(account.account().clone()).or_insert_with(make));
        Loaded { revision, snapshot }
    }
}

fn joined(
    pending: Option<&Cached<Requests>>,
    journal: Option<&Cached<Record>>,
) -> Option<Result<Arc<ChannelState>, Fault>> {
    let (pending, journal) = (pending?.value.clone(), journal?.value.clone());
    let record = match journal {
        Ok(record) => record,
        Err(fault) => return Some(Err(fault)),
    };
    let join = |pending: Arc<Requests>| {
        let Requests { usable, unusable } = (*pending).clone();
        Arc::new(ChannelState::joined(usable, unusable, (*record).clone()))
    };
    Some(pending.map(join))
}

struct Reading<'a> {
    place: &'a Place,
    freshness: &'a Freshness,
    revision: Option<u64>,
    now: Timestamp,
}

impl Reading<'_> {
    /// Reads a part anew if one of its files changed, and says whether it did.
    fn refresh<T>(
        &self,
        cached: &mut Option<Cached<T>>,
        names: &[String],
        read: impl FnOnce(&Dir) -> Result<T, Trouble>,
    ) -> bool {
        // INVARIANT I7: what can't be looked at is not missing.
        let identities = || -> Option<Vec<Option<Identity>>> {
            names.iter().map(|name| self.place.credentials.identify(name).ok()).collect()
        };
        if let Some(cached) = cached {
            let is_current =
                names.iter().all(|name| match (self.freshness.changed_at(name), cached.read_at) {
                    (Since::Revision(changed), Some(read)) => changed <= read,
                    _ => cached.is_settled && cached.identities == identities(),
                });
            if is_current {
                cached.read_at = self.revision;
                return false;
            }
        }
        // Identities first: a change while we read makes the next look read again.
        let identities = identities();
        let is_settled = |file: &Identity| file.is_settled(self.now.as_millis());
        let is_settled = identities.as_ref().is_some_and(|files| files.iter().flatten().all(is_settled));
        let value = read(&self.place.credentials);
        let is_lasting = value.as_ref().map_or_else(|trouble| trouble.is_lasting, |_| true);
        let value = value.map(Arc::new).map_err(|trouble| trouble.fault);
        let read_at = self.revision.filter(|_| is_lasting);
        *cached = Some(Cached { is_settled: is_settled && is_lasting, value, read_at, identities });
        true
    }
}

/// What a pending file holds.
#[derive(Clone, Default)]
pub(super) struct Requests {
    pub(super) usable: Vec<Request>,
    /// When the others were made.
    pub(super) unusable: Vec<Timestamp>,
}

impl Requests {
    pub(super) fn of(channel: &ChannelId, document: &PendingDocument) -> Self {
        let mut requests = Self::default();
        for stored in document.requests() {
            match request_of(channel, &stored) {
                Some(request) => requests.usable.push(request),
                None => requests.unusable.extend(stored.created_at.map(Timestamp::from_millis)),
            }
        }
        requests.unusable.extend(document.unusable().flatten().map(Timestamp::from_millis));
        requests
    }
}

fn requests(channel: &ChannelId, dir: &Dir) -> Result<Requests, Trouble> {
    let name = names::pending(channel);
    let Some(contents) = dir.read(&name)? else {
        return Ok(Requests::default());
    };
    let document =
        PendingDocument::parse(&contents.bytes).map_err(|error| trouble::damage(dir, &name, &error))?;
    Ok(Requests::of(channel, &document))
}

fn request_of(channel: &ChannelId, stored: &StoredRequest) -> Option<Request> {
    let account = match &stored.account_id {
        Some(account) => AccountId::parse(account).ok()?,
        None => AccountId::default_account(),
    };
    let created_at = Timestamp::from_millis(stored.created_at?);
    // Other programs may note a sender in a form that we don't know: it is shown, and matches nobody.
    let id = match SenderId::parse_entry(channel, &stored.id) {
        // To approve it would be to write a list that lets everybody in for whoever reads it without care.
        Err(IdError::Star) => return None,
        id => id.ok().or_else(|| SenderId::from_record(&stored.id))?,
    };
    Some(Request {
        request: request_id(channel, stored),
        account,
        id,
        aliases: Vec::new(),
        code: PairingCode::from_stored(&stored.code),
        created_at,
        last_seen_at: stored.last_seen_at.map_or(created_at, Timestamp::from_millis),
        meta: stored.meta.clone(),
        source: stored.source.as_deref().map(Source::from_stored),
        ttl: HOUR,
        ours: stored.request_id.is_some(),
    })
}

/// The id of a request: ours where we made it, else one made of what identifies it. The code is no part of it.
pub(super) fn request_id(channel: &ChannelId, stored: &StoredRequest) -> RequestId {
    if let Some(own) = &stored.request_id {
        return RequestId::from_text(own);
    }
    let account = stored.account_id.as_deref().unwrap_or_default();
    let what = format!("{channel}\n{account}\n{}\n{:?}", stored.id, stored.created_at);
    let digest = hex::encode(Sha256::digest(what));
    RequestId::from_text(digest.get(..16).unwrap_or_default())
}

/// Our record of a channel; an empty one where there is no file.
pub(super) fn journal_of(channel: &ChannelId, dir: &Dir) -> Result<Journal, Trouble> {
    let name = names::journal(channel);
    match dir.read(&name)? {
        None => Ok(Journal::default()),
        Some(contents) => {
            Journal::parse(&contents.bytes).map_err(|error| trouble::damage(dir, &name, &error))
        }
    }
}

/// Everyone on the lists of an account. `*` in a stored list never counts.
fn id_set(channel: &ChannelId, lists: &[String], dir: &Dir) -> Result<IdSet, Trouble> {
    let mut ids = IdSetBuilder::default();
    for name in lists {
        let Some(contents) = dir.read(name)? else { continue };
        let visit = |entry: &str| {
            if let Ok(id) = SenderId::parse_entry(channel, entry) {
                ids.insert(&id);
            }
        };
        visit_allow_entries(&contents.bytes, visit).map_err(|error| trouble::damage(dir, name, &error))?;
    }
    Ok(ids.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::World;
    use crate::store::file::fault::{Fault as Injected, Step, on_this_thread};

    #[test]
    fn i7_trouble_that_passes_is_looked_at_again_and_damage_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("credentials");
        let dir = Dir::create_and_open(&path).unwrap();
        let freshness = Freshness::new(path, true);
        let channel = ChannelId::parse("telegram").unwrap();
        let (view, account) = (View::new(channel.clone()), AccountKey::default_of(channel));
        let load = || view.load(&account, &freshness, &World::default());
        let write = |text: &str| {
            let sure = || Ok::<_, super::super::disk::FileError>(());
            dir.replace("telegram-allowFrom.json", text.as_bytes(), sure).unwrap();
        };
        write(r#"{"version":1,"allowFrom":["42"]}"#);

        // Too many open files: nothing about the file changes, and no event will tell when it is over.
        let armed = on_this_thread(|at| (at == Step::Read).then_some(Injected::Fail(24)));
        let loaded = load();
        assert!(loaded.snapshot.allowed.is_err() && loaded.revision.is_none());
        drop(armed);
        let loaded = load();
        assert_eq!(loaded.snapshot.allowed.as_ref().unwrap().len(), 1);
        assert!(loaded.revision.is_some());

        // A damaged file is not read again before it changes.
        write("{");
        let loaded = load();
        assert!(loaded.snapshot.allowed.is_err() && loaded.revision.is_some());
        let armed = on_this_thread(|at| (at == Step::Read).then_some(Injected::Fail(24)));
        assert_eq!(load().snapshot.allowed.as_ref().err(), loaded.snapshot.allowed.as_ref().err());
        drop(armed);
        write(r#"{"version":1,"allowFrom":["42","43"]}"#);
        assert_eq!(load().snapshot.allowed.as_ref().unwrap().len(), 2);
    }

    #[test]
    fn i7_i9_a_file_that_can_not_be_looked_at_is_not_taken_for_missing() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("credentials");
        let dir = Dir::create_and_open(&path).unwrap();
        let freshness = Freshness::new(path, false);
        let channel = ChannelId::parse("telegram").unwrap();
        let (view, account) = (View::new(channel.clone()), AccountKey::default_of(channel));
        let load = || view.load(&account, &freshness, &World::default()).snapshot;
        assert!(load().record.is_ok());
        // Somebody is blocked, and nobody can tell whether there is a file.
        let sure = || Ok::<_, super::super::disk::FileError>(());
        dir.replace("telegram-dmgate.jsonl", b"no record", sure).unwrap();
        let armed = on_this_thread(|at| (at == Step::Inspect).then_some(Injected::Fail(5)));
        assert!(load().record.is_err());
        drop(armed);
        assert!(load().record.is_err());
    }

    #[test]
    fn i9_a_directory_that_was_replaced_is_read_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("credentials");
        Dir::create_and_open(&path).unwrap();
        let freshness = Freshness::new(path.clone(), true);
        let channel = ChannelId::parse("telegram").unwrap();
        let (view, account) = (View::new(channel.clone()), AccountKey::default_of(channel));
        let load = || view.load(&account, &freshness, &World::default());
        assert!(load().snapshot.pending.is_ok());
        rustix::fs::rename(&path, temp.path().join("old")).unwrap();
        let dir = Dir::create_and_open(&path).unwrap();
        let sure = || Ok::<_, super::super::disk::FileError>(());
        dir.replace("telegram-pairing.json", b"damaged", sure).unwrap();
        let loaded = load();
        assert!(loaded.snapshot.pending.is_err());
        assert!(loaded.revision.is_some() && view.unchanged(&account, &freshness).is_some(), "and no more");
    }

    #[test]
    fn i9_a_reading_that_a_panic_ends_leaves_no_state_of_which_a_part_is_older() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("credentials");
        let dir = Dir::create_and_open(&path).unwrap();
        let freshness = Freshness::new(path, false);
        let channel = ChannelId::parse("telegram").unwrap();
        let (view, account) = (View::new(channel.clone()), AccountKey::default_of(channel));
        let load = || view.load(&account, &freshness, &World::default()).snapshot;
        let sure = || Ok::<_, super::super::disk::FileError>(());
        dir.replace("telegram-pairing.json", b"damaged", sure).unwrap();
        assert!(load().pending.is_err());
        dir.remove("telegram-pairing.json").unwrap();
        // It was found missing, and the next file is looked at: a panic.
        let was_opened = std::cell::Cell::new(false);
        let armed = on_this_thread(move |at| {
            was_opened.set(was_opened.get() || at == Step::Open);
            assert!(!was_opened.get() || at == Step::Open, "a panic");
            None
        });
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(load)).is_err());
        drop(armed);
        assert!(load().pending.is_ok());
    }
}
