//! The store in files: the established JSON files, changed side by side with other programs, and our own record.

mod audit;
mod devices;
pub(super) mod disk;
mod document;
pub(crate) mod fault;
mod folder;
mod freshness;
mod inspect;
mod journal;
mod lock;
mod names;
mod nodes;
mod owner;
mod part;
mod queue;
mod transaction;
mod trouble;
mod view;
mod watch;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
pub use devices::{DeviceStore, DeviceView};
pub use inspect::{Finding, Level};
pub use nodes::NodeStore;
use queue::Queue;

use self::disk::Dir;
use self::freshness::Freshness;
use self::part::attempt;
use self::transaction::Transaction;
use self::view::View;
use super::{Actor, Loaded, OperatorError, Places, Revoked, Store, StoreError};
use crate::clock::World;
use crate::decision::Fault;
use crate::message::{AccountKey, ChannelId, SenderId};
use crate::pairing::record::{SendKind, SendStep, Sending};
use crate::pairing::{Approval, Change, Knock, Knocked, Request, RequestId};
use crate::policy::{Limits, PendingScope};

/// Where a [`FileStore`] keeps its files, and how.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The state directory. The files are in `credentials` below it.
    pub state_dir: PathBuf,
    /// Whether missing directories are made (0700).
    pub create: bool,
    /// Whether the established program works in the same directory: the cap is then 3 per channel and nothing else.
    pub shared_with_openclaw: bool,
    /// How long a lock that others hold is waited for.
    pub lock_wait: Duration,
    /// Whether changes are watched for. Without it the files are looked at for every decision, which is as exact: right
    /// for a process that makes one and ends, since ending a watch takes the kernel some milliseconds.
    pub watch: bool,
}

impl FileOptions {
    /// A directory of our own that is made if it is missing; locks are waited for ten seconds.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let state_dir = state_dir.into();
        let lock_wait = Duration::from_secs(10);
        Self { state_dir, create: true, shared_with_openclaw: false, lock_wait, watch: true }
    }
}

/// The store in files. A cheap handle; any number of processes may use one directory.
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

struct Inner {
    options: FileOptions,
    world: World,
    freshness: Freshness,
    channels: DashMap<ChannelId, Arc<Channel>>,
}

/// One channel: what its files say, and who waits to change them.
struct Channel {
    view: View,
    queue: Queue,
    /// Held while a thread reads: who waits for it takes no thread.
    reading: tokio::sync::Mutex<()>,
}

impl FileStore {
    /// Opens a state directory.
    ///
    /// # Errors
    /// [`StoreError::Fault`] if the directory is missing and not to be made, is another user's, or can be written by
    /// others.
    pub fn open(options: FileOptions, world: World) -> Result<Self, StoreError> {
        let path = options.state_dir.join("credentials");
        let open = |path: &std::path::Path| {
            let dir = if options.create { Dir::create_and_open(path) } else { Dir::open(path) };
            dir.map_err(|error| StoreError::from(trouble::fault(&error)))
        };
        open(&options.state_dir)?;
        open(&path)?;
        let freshness = Freshness::new(path, options.watch);
        let place = freshness.place().map_err(|error| trouble::fault(&error))?;
        // What writers that died left behind; an hour is far more than any write takes.
        match place.credentials.sweep(Duration::from_secs(3_600), world.clock.now().as_millis()) {
            Ok(swept) if swept.is_empty() => {}
            Ok(swept) => {
                tracing::info!("removed {} files that were cut off while they were written", swept.len());
            }
            Err(error) => tracing::warn!("{error}"),
        }
        let channels = DashMap::new();
        Ok(Self(Arc::new(Inner { options, world, freshness, channels })))
    }

    /// What is wrong in the state directory, and what mends it.
    #[must_use]
    pub fn inspect(&self) -> Vec<Finding> {
        inspect::inspect(&self.0)
    }

    /// Does what blocks where it may. What began is ended, also when nobody waits for it any more: a transaction, and
    /// its line in the audit.
    async fn blocking<T, E>(&self, work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        blocking(move || work(&store)).await
    }
}

impl Inner {
    fn channel(&self, channel: &ChannelId) -> Arc<Channel> {
        if let Some(channel) = self.channels.get(channel) {
            return Arc::clone(&channel);
        }
        let make = || {
            let (queue, reading) = Default::default();
            Arc::new(Channel { view: View::new(channel.clone()), queue, reading })
        };
        Arc::clone(&self.channels.entry(channel.clone()).or_insert_with(make))
    }

    fn load(&self, account: &AccountKey) -> Loaded {
        self.channel(account.channel()).view.load(account, &self.freshness, &self.world)
    }

    /// The entries of an account's lists as they are in the files, each with its file.
    fn visit_lists(&self, account: &AccountKey, mut visit: impl FnMut(&str, &str)) -> Result<(), StoreError> {
        let place = self.freshness.place().map_err(|error| trouble::fault(&error))?;
        for name in names::allowed(account) {
            let contents = place.credentials.read(&name).map_err(|error| trouble::fault(&error))?;
            let Some(contents) = contents else { continue };
            let path = place.credentials.path().join(&name).display().to_string();
            document::visit_allow_entries(&contents.bytes, |entry| visit(&path, entry))
                .map_err(|error| trouble::in_file(&place.credentials, &name, &error))?;
        }
        Ok(())
    }

    /// One transaction on a channel, with the lists of `accounts` to be written; `act` sees the state after its upkeep,
    /// and may be called again.
    fn transact<T>(
        &self,
        channel: &ChannelId,
        accounts: &[AccountKey],
        mut act: impl FnMut(&Transaction<'_>) -> Result<(T, Change), StoreError>,
    ) -> Result<T, StoreError> {
        attempt(|| {
            let mut transaction = Transaction::begin(self, channel, accounts)?;
            let (answer, change) = act(&transaction)?;
            transaction.apply(change);
            transaction.commit_for_sure()?;
            Ok(answer)
        })
    }

    /// Strangers who knocked at the same time: one look, one write, an answer for each. A list that can't be read costs
    /// those who knocked on its account.
    fn knock_all(&self, channel: &ChannelId, knocks: &[Knock]) -> Result<Vec<queue::Answer>, StoreError> {
        attempt(|| {
            let mut transaction = Transaction::begin(self, channel, &[])?;
            transaction.require_pending()?;
            let mut answers = Vec::with_capacity(knocks.len());
            for knock in knocks {
                let listed = match transaction.listed(&knock.account) {
                    Ok(ids) => ids,
                    Err(fault) => {
                        answers.push(Err(fault.into()));
                        continue;
                    }
                };
                let (is_listed, entropy) = (|id: &SenderId| listed.contains(id), &*self.world.entropy);
                let knocked = transaction.state.knock(knock, is_listed, transaction.now, entropy);
                let (answer, change) = knocked.map_err(StoreError::from)?;
                transaction.apply(change);
                answers.push(Ok(answer));
            }
            transaction.commit()?;
            Ok(answers)
        })
    }
}

#[async_trait]
impl Store for FileStore {
    fn revision(&self, _account: &AccountKey) -> Option<u64> {
        self.0.freshness.revision()
    }

    async fn load(&self, account: &AccountKey) -> Loaded {
        let unavailable = |fault: &Fault| {
            let snapshot = Arc::new(super::Snapshot::unavailable(fault));
            Loaded { revision: None, snapshot }
        };
        let channel = self.0.channel(account.channel());
        if let Some(loaded) = channel.view.unchanged(account, &self.0.freshness) {
            return loaded;
        }
        let _reading = channel.reading.lock().await;
        // Another may have read meanwhile what this one came for.
        if let Some(loaded) = channel.view.unchanged(account, &self.0.freshness) {
            return loaded;
        }
        let (inner, account) = (Arc::clone(&self.0), account.clone());
        let read = tokio::task::spawn_blocking(move || inner.load(&account)).await;
        read.unwrap_or_else(|_| unavailable(&Fault::unreadable("the store broke down; see the log")))
    }

    // INVARIANT I3: the established program prunes to three per channel, whoever they are of.
    // INVARIANT I11: the gate asks this too, so that a stranger who meets full slots causes no transaction.
    fn limits(&self, given: &Limits) -> Limits {
        match self.0.options.shared_with_openclaw {
            true => Limits { pending_max: 3, pending_scope: PendingScope::Channel, ..*given },
            false => *given,
        }
    }

    async fn changed(&self, _account: &AccountKey, since: Option<u64>) {
        self.0.freshness.changed(since).await;
    }

    async fn knock(&self, channel: &ChannelId, mut knock: Knock) -> Result<Knocked, StoreError> {
        knock.limits = self.limits(&knock.limits);
        let inner = Arc::clone(&self.0);
        let of_channel = channel.clone();
        let together = move |knocks: &[Knock]| inner.knock_all(&of_channel, knocks);
        self.0.channel(channel).queue.knock(knock, together).await
    }

    async fn bind(
        &self,
        account: &AccountKey,
        entry: &SenderId,
        primary: &SenderId,
    ) -> Result<SenderId, StoreError> {
        let (account, entry, primary) = (account.clone(), entry.clone(), primary.clone());
        self.blocking(move |store| {
            let bind = |t: &Transaction<'_>| Ok(t.state.bind(account.account(), &entry, &primary));
            store.0.transact(account.channel(), &[], bind)
        })
        .await
    }

    async fn sending(
        &self,
        account: &AccountKey,
        request: &RequestId,
        what: SendKind,
        step: SendStep,
    ) -> Result<Option<Sending>, StoreError> {
        let (channel, request) = (account.channel().clone(), request.clone());
        let note = move |t: &Transaction<'_>| Ok(t.state.sending(&request, what, step));
        self.blocking(move |store| store.0.transact(&channel, &[], note)).await
    }

    async fn channels(&self) -> Result<Vec<ChannelId>, StoreError> {
        let place = self.0.freshness.place().map_err(|error| trouble::fault(&error))?;
        let names = place.credentials.list().map_err(|error| trouble::fault(&error))?;
        let mut channels = Vec::new();
        for channel in names.iter().filter_map(|name| names::channel_of_pending(name)) {
            // One damaged file hides no other channel, nor itself: reading it says what is wrong.
            if self.pending(&channel).await.map_or(true, |requests| !requests.is_empty()) {
                channels.push(channel);
            }
        }
        Ok(channels)
    }

    async fn pending(&self, channel: &ChannelId) -> Result<Vec<Request>, StoreError> {
        let state = self.load(&AccountKey::default_of(channel.clone())).await.snapshot.pending.clone()?;
        let now = self.0.world.clock.now();
        let mut requests = Vec::new();
        for request in state.requests.iter().filter(|r| r.is_live(now) && !state.is_orphan(r)) {
            // Where the list can't be read or named, the request is shown: approving it will say what is wrong.
            let is_in = match key(channel, &request.account) {
                Ok(key) => {
                    self.load(&key).await.snapshot.allowed.as_ref().is_ok_and(|ids| ids.contains(&request.id))
                }
                Err(_) => false,
            };
            if !is_in {
                requests.push(request.clone());
            }
        }
        requests.sort_by_key(|request| request.created_at);
        Ok(requests)
    }

    async fn approve(
        &self,
        channel: &ChannelId,
        approval: Approval,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        let (channel, actor) = (channel.clone(), actor.clone());
        self.blocking(move |store| store.approve_now(&channel, &approval, &actor)).await
    }

    async fn reject(
        &self,
        channel: &ChannelId,
        approval: Approval,
        block: bool,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        let (channel, actor) = (channel.clone(), actor.clone());
        self.blocking(move |store| store.reject_now(&channel, &approval, block, &actor)).await
    }

    async fn allowed(&self, account: &AccountKey) -> Result<Vec<String>, StoreError> {
        let mut entries: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        self.0.visit_lists(account, |_, entry| {
            if seen.insert(entry.to_owned()) {
                entries.push(entry.to_owned());
            }
        })?;
        Ok(entries)
    }

    async fn listed_in(&self, account: &AccountKey, sender: &SenderId) -> Result<Vec<String>, StoreError> {
        let mut places: Vec<String> = Vec::new();
        self.0.visit_lists(account, |place, entry| {
            let is_it = SenderId::parse_entry(account.channel(), entry).is_ok_and(|entry| entry == *sender);
            if is_it && !places.iter().any(|other| other == place) {
                places.push(place.to_owned());
            }
        })?;
        Ok(places)
    }

    async fn allow(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, OperatorError> {
        let (account, sender, actor) = (account.clone(), sender.clone(), actor.clone());
        self.blocking(move |store| store.allow_now(&account, &sender, &actor)).await
    }

    async fn revoke(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<Revoked, StoreError> {
        let (account, sender, actor) = (account.clone(), sender.clone(), actor.clone());
        self.blocking(move |store| store.revoke_now(&account, &sender, &actor)).await
    }

    async fn blocked(&self, account: &AccountKey) -> Result<Vec<SenderId>, StoreError> {
        let (_, record) = self.load(account).await.snapshot.record.clone()?;
        Ok(record.blocked(account.account()).collect())
    }

    async fn block(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let (account, sender, actor) = (account.clone(), sender.clone(), actor.clone());
        self.blocking(move |store| store.block_now(&account, &sender, &actor)).await
    }

    async fn unblock(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let (account, sender, actor) = (account.clone(), sender.clone(), actor.clone());
        self.blocking(move |store| store.unblock_now(&account, &sender, &actor)).await
    }

    fn places(&self, account: &AccountKey) -> Places {
        let at = |name: String| self.0.options.state_dir.join("credentials").join(name).display().to_string();
        Places {
            allowed: names::allowed(account).into_iter().map(at).collect(),
            pending: at(names::pending(account.channel())),
            record: at(names::journal(account.channel())),
        }
    }
}

/// Does what blocks where it may, to its end, also when nobody waits for it any more.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let broke_down = |_| StoreError::Fault(Fault::unreadable("the store broke down; see the log"));
    tokio::task::spawn_blocking(work).await.map_err(broke_down)?
}

fn key(channel: &ChannelId, account: &crate::message::AccountId) -> Result<AccountKey, StoreError> {
    AccountKey::new(channel.clone(), account.clone()).map_err(|error| StoreError::Refused(error.to_string()))
}
