//! One transaction on a channel's files: locks, what the files say, the rules, and the writes in their order.

use std::sync::Arc;

use super::disk::{Dir, FileError, Names};
use super::document::{AllowDocument, PendingDocument, StoredRequest};
use super::fault::{Step, step};
use super::journal::Journal;
use super::lock::{Flock, Sidecar};
use super::part::{ByClock, Interrupted, Part};
use super::view::{Requests, request_id};
use super::{Inner, names, trouble, view};
use crate::allowlist::IdSet;
use crate::clock::{Clock, Moment};
use crate::decision::Fault;
use crate::message::{AccountId, AccountKey, ChannelId, SenderId};
use crate::pairing::{Change, ChannelState, Request};
use crate::store::StoreError;

/// The files of a channel under their locks, and what they say.
pub(super) struct Transaction<'a> {
    inner: &'a Inner,
    channel: &'a ChannelId,
    dir: Dir,
    /// What the rules look at; it has had its upkeep.
    pub(super) state: ChannelState,
    pub(super) now: Moment,
    pending: Result<Part<PendingDocument>, Fault>,
    journal: Journal,
    allowed: Vec<List>,
    /// What is to be written.
    change: Change,
    pending_lock: Sidecar,
    /// Held until all is done; declared last, so that it is let go last.
    _flock: Flock,
}

/// A list of an account that is to be written.
struct List {
    account: AccountId,
    part: Part<AllowDocument>,
    lock: Sidecar,
}

impl<'a> Transaction<'a> {
    /// Takes the locks and reads the files; the lists of `accounts` are to be written.
    pub(super) fn begin(
        inner: &'a Inner,
        channel: &'a ChannelId,
        accounts: &[AccountKey],
    ) -> Result<Self, Interrupted> {
        let dir = inner.freshness.place().map_err(|error| trouble::fault(&error))?.credentials.clone();
        let waiting = ByClock(&*inner.world.clock);
        let deadline = waiting.deadline(inner.options.lock_wait);
        let flock = Flock::acquire(&dir, channel.as_str(), &waiting, deadline)?;
        let pending_name = names::pending(channel);
        let pending_lock = Sidecar::acquire(&dir, &pending_name, &flock, &waiting, deadline)?;
        let mut allowed = Vec::new();
        for account in accounts {
            for name in names::allowed(account) {
                let lock = Sidecar::acquire(&dir, &name, &flock, &waiting, deadline)?;
                let part = Part::read(&dir, name, AllowDocument::empty(), AllowDocument::parse)?;
                allowed.push(List { account: account.account().clone(), part, lock });
            }
        }
        let journal = view::journal_of(channel, &dir)?;
        let pending = Part::read(&dir, pending_name, PendingDocument::empty(), PendingDocument::parse);
        // A damaged pending file does not keep the owner from revoking; trouble that passes is no reason to go on
        // without it.
        let pending = match pending {
            Err(trouble) if trouble.is_lasting => Err(trouble.fault),
            other => Ok(other?),
        };
        let requests = pending.as_ref().map(|file| Requests::of(channel, &file.document)).unwrap_or_default();
        let now = inner.world.clock.moment();
        let state = ChannelState::joined(requests.usable, requests.unusable, journal.record.clone());
        let (change, _flock) = (Change::default(), flock);
        let mut this =
            Self { inner, channel, dir, state, now, pending, journal, allowed, change, pending_lock, _flock };
        this.keep_up();
        Ok(this)
    }

    /// The pending file, where the answer needs it.
    pub(super) fn require_pending(&self) -> Result<(), StoreError> {
        match &self.pending {
            Ok(_) => Ok(()),
            Err(fault) => Err(fault.clone().into()),
        }
    }

    /// Who is on the account's lists, which need not be locked.
    pub(super) fn listed(&self, account: &AccountId) -> Result<Arc<IdSet>, Fault> {
        let key = AccountKey::new(self.channel.clone(), account.clone());
        let key = key.map_err(|error| Fault::unreadable(error.to_string()))?;
        self.inner.load(&key).snapshot.allowed.clone()
    }

    /// Applies a change in memory; [`Transaction::commit`] makes it durable.
    pub(super) fn apply(&mut self, change: Change) {
        self.state.apply(&change);
        self.change.extend(change);
    }

    /// How many entries of the account's lists, which must be locked, are this sender.
    // INVARIANT I8: the lists of other accounts say nothing about this one.
    pub(super) fn entries_of(&self, account: &AccountId, id: &SenderId) -> usize {
        let is_it = |entry: &str| SenderId::parse_entry(self.channel, entry).is_ok_and(|entry| entry == *id);
        let lists = self.allowed.iter().filter(|list| list.account == *account);
        lists.flat_map(|list| list.part.document.entries()).filter(|entry| is_it(entry)).count()
    }

    /// Makes the changes durable.
    pub(super) fn commit(mut self) -> Result<(), Interrupted> {
        self.write().map(drop)
    }

    /// [`Transaction::commit`] for an answer that says "done" also where nothing was left to do: somebody may have
    /// put it in its place who died, or failed, before that was durable.
    // INVARIANT I4: what the owner is told is done stays done, whoever did it.
    pub(super) fn commit_for_sure(mut self) -> Result<(), Interrupted> {
        if !self.write()? {
            self.dir.sync("").map_err(|error| trouble::fault(&error))?;
        }
        Ok(())
    }

    /// Writes what changed; says whether that was anything.
    // INVARIANT I4: who comes in comes in first; what is over is over last.
    // INVARIANT I6: a request is in its file before the record knows it, and both are durable before its code is handed
    // out.
    fn write(&mut self) -> Result<bool, Interrupted> {
        let change = std::mem::take(&mut self.change);
        let mut wrote = false;
        for (account, id) in &change.revoke {
            wrote |= self.revoke(account, id)?;
        }
        for (account, id) in &change.admit {
            wrote |= self.admit(account, id)?;
        }
        let (adds, is_noted) = (!change.add.is_empty(), !change.entries.is_empty());
        let is_over = !change.drop.is_empty() || !change.restamp.is_empty();
        // Each transaction makes the names durable, also one that has found done what somebody did who died before that.
        let noting = if !adds && (wrote || is_over) { Names::Leave } else { Names::Sync };
        if adds {
            self.between(&mut wrote)?;
            // What is noted after it makes both durable.
            self.write_pending(&change, if is_noted { Names::Leave } else { Names::Sync })?;
        }
        if is_noted {
            self.between(&mut wrote)?;
            self.write_journal(&change, noting)?;
        }
        if is_over && !adds {
            self.between(&mut wrote)?;
            self.write_pending(&change, Names::Sync)?;
        }
        Ok(wrote)
    }

    fn between(&self, wrote: &mut bool) -> Result<(), Interrupted> {
        if std::mem::replace(wrote, true) {
            let failed = |source| trouble::fault(&self.dir.io("", "go on in", source));
            step(Step::BetweenFiles).map_err(failed)?;
        }
        Ok(())
    }

    fn keep_up(&mut self) {
        // Without the pending file it is not known who waits: nothing is closed that may still be open.
        if self.pending.is_err() {
            return;
        }
        let is_in = |request: &Request| {
            // Where the list can't be read, nothing is known, and nothing is dropped.
            self.listed(&request.account).is_ok_and(|ids| ids.contains(&request.id))
        };
        let upkeep = self.state.upkeep(self.now.wall, is_in);
        self.apply(upkeep);
    }

    /// Adds a sender to the list that is written; says whether that was needed.
    fn admit(&mut self, account: &AccountId, id: &SenderId) -> Result<bool, Interrupted> {
        if self.entries_of(account, id) > 0 {
            return Ok(false);
        }
        let Some(list) = self.allowed.iter_mut().find(|list| list.account == *account) else {
            return Ok(false);
        };
        list.part.document.push(id.as_str());
        list.replace(&self.dir, &*self.inner.world.clock)?;
        Ok(true)
    }

    /// Takes a sender out of every list of the account; says whether that was needed.
    fn revoke(&mut self, account: &AccountId, id: &SenderId) -> Result<bool, Interrupted> {
        let (clock, channel) = (&*self.inner.world.clock, self.channel);
        let is_it = |entry: &str| SenderId::parse_entry(channel, entry).is_ok_and(|entry| entry == *id);
        let mut wrote = false;
        for list in self.allowed.iter_mut().filter(|list| list.account == *account) {
            if list.part.document.remove_where(is_it) > 0 {
                list.replace(&self.dir, clock)?;
                wrote = true;
            }
        }
        Ok(wrote)
    }

    // INVARIANT I7: a pending file that can't be trusted is not written.
    fn write_pending(&mut self, change: &Change, names: Names) -> Result<(), Interrupted> {
        let Ok(file) = &mut self.pending else { return Ok(()) };
        let channel = self.channel;
        file.document.retain(|stored| !change.drop.contains(&request_id(channel, stored)));
        for (request, at) in &change.restamp {
            file.document.restamp(at.as_millis(), |stored| request_id(channel, stored) == *request);
        }
        change.add.iter().for_each(|request| file.document.push(&stored(request)));
        let bytes = file.document.to_bytes();
        let (clock, lock) = (&*self.inner.world.clock, &self.pending_lock);
        file.replace(&self.dir, &bytes, names, || lock.confirm(clock.now().as_millis()))
    }

    fn write_journal(&mut self, change: &Change, names: Names) -> Result<(), Interrupted> {
        let name = names::journal(self.channel);
        self.pending_lock.confirm(self.inner.world.clock.now().as_millis())?;
        match self.journal.appended(&change.entries) {
            Some(bytes) => {
                self.dir
                    .append(&name, &bytes, self.journal.length, names)
                    .map_err(|error| trouble::fault(&error))?;
            }
            None => {
                let bytes = Journal::rewritten(&self.state.record, self.now);
                let sure = || -> Result<(), FileError> { Ok(()) };
                self.dir.replace(&name, &bytes, sure).map_err(|error| trouble::fault(&error))?;
            }
        }
        Ok(())
    }
}

impl List {
    fn replace(&mut self, dir: &Dir, clock: &dyn Clock) -> Result<(), Interrupted> {
        let Self { part, lock, .. } = self;
        let bytes = part.document.to_bytes();
        part.replace(dir, &bytes, Names::Sync, || lock.confirm(clock.now().as_millis()))
    }
}

/// A request as the shared file holds it.
fn stored(request: &Request) -> StoredRequest {
    StoredRequest {
        id: request.id.to_string(),
        code: request.code.reveal().to_owned(),
        created_at: Some(request.created_at.as_millis()),
        last_seen_at: Some(request.last_seen_at.as_millis()),
        meta: request.meta.clone(),
        account_id: Some(request.account.to_string()),
        request_id: Some(request.request.to_string()),
        source: request.source.as_ref().map(|source| source.as_str().to_owned()),
    }
}
