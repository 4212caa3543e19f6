//! The owner is told of new requests: who wants that, and what was told.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Desk, Owner, Present, say};
use crate::agent::Turn;
use crate::channel::{ChannelAdapter, OutboundText, SendError, TextKind};
use crate::clock::Timestamp;
use crate::device::DeviceRequestId;
use crate::message::{AccountKey, InboundMessage, ReplyRoute, Sender, SenderId, Strength};
use crate::pipeline::{Pipeline, backoff};
use crate::policy::HOUR;
use crate::store::SideFile;

/// Who wants to be told, and what was told: `device-pair-notify.json`, in the established form. There `to` is a chat of
/// Telegram; `channel`, `alias` and `route` are ours.
pub(super) struct Notices {
    file: SideFile,
    turn: tokio::sync::Mutex<()>,
}

/// For how many requests somebody wants to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Persistent,
    Once,
}

#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Book {
    #[serde(default)]
    subscribers: Vec<Subscriber>,
    /// The requests that were told, and when, in milliseconds.
    #[serde(default)]
    notified_request_ids: BTreeMap<DeviceRequestId, i64>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscriber {
    /// The primary id.
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// The alias that is on the owner's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<ReplyRoute>,
    mode: Mode,
    added_at_ms: i64,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// The channel of a subscriber that names none.
const ESTABLISHED: &str = "telegram";

/// The longest file, in bytes.
const LIMIT: usize = 256 * 1024;

/// How long it is remembered that a request was told, and of how many.
const REMEMBERED: Duration = Duration::from_secs(24 * HOUR.as_secs());
const MOST_REMEMBERED: usize = 1_024;

/// What comes within this time is told together: a device that asks for ever new things fills nobody's screen.
const GAP: Duration = Duration::from_secs(10);

/// Tries of a notice; a request lives for five minutes.
const TRIES: u32 = 6;

impl Notices {
    pub(super) fn new(state_dir: &Path) -> Self {
        let file = SideFile::new(state_dir, "", "device-pair-notify.json", LIMIT);
        Self { file, turn: tokio::sync::Mutex::default() }
    }

    /// Reads, and writes what `act` made of it.
    // INVARIANT I7: a file that can't be trusted is not written.
    async fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Book) -> T + Send + 'static,
    ) -> io::Result<T> {
        let _turn = self.turn.lock().await;
        let file = self.file.clone();
        let work = move || {
            let before: Book = match file.read()? {
                Some(text) => serde_json::from_str(&text)?,
                None => Book::default(),
            };
            let mut book = before.clone();
            let answer = act(&mut book);
            if book != before {
                file.replace(&serde_json::to_string_pretty(&book)?)?;
            }
            Ok(answer)
        };
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }
}

impl Desk {
    /// Tells owners of new requests, on the channels of `pipeline`, until `shutdown`: each request once, to those who said
    /// `/pair notify on` or `once`, and who are still owners and let in.
    pub async fn tell(&self, pipeline: &Pipeline, shutdown: CancellationToken) {
        let work = async {
            loop {
                let since = self.0.devices.revision();
                if self.tell_of_new(pipeline).await {
                    tokio::time::sleep(GAP).await;
                } else {
                    self.0.devices.changed(since).await;
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    /// Whether there was something to tell.
    async fn tell_of_new(&self, pipeline: &Pipeline) -> bool {
        let Some(view) = self.view().await else { return false };
        let waiting = self.waiting(&view).into_iter().filter(|request| !request.silent);
        let ids: Vec<_> = waiting.map(|request| request.id.clone()).collect();
        if ids.is_empty() {
            return false;
        }
        let now = self.0.gate.clock().now();
        let (new, subscribers) =
            match self.0.notices.change(move |book| book.take_new_for_somebody(&ids, now)).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!("nobody is told of requests of devices: {error}");
                    return false;
                }
            };
        let new: Vec<_> =
            self.waiting(&view).into_iter().filter(|request| new.contains(&request.id)).collect();
        if new.is_empty() {
            return false;
        }
        let (list, listed) = say::list(&new, &view.devices);
        let body = format!(
            "A device asks to be paired:\n\n{list}\n\n/pair approve lets it in, /pair reject does not."
        );
        let listed: Vec<_> = listed.into_iter().map(|request| request.id.clone()).collect();
        let mut telling = JoinSet::new();
        for subscriber in subscribers {
            let (desk, pipeline) = (self.clone(), pipeline.clone());
            let (body, listed) = (body.clone(), listed.clone());
            telling.spawn(async move { desk.tell_one(&pipeline, &subscriber, body, &listed).await });
        }
        while telling.join_next().await.is_some() {}
        true
    }

    async fn tell_one(&self, pipeline: &Pipeline, to: &Subscriber, body: String, ids: &[DeviceRequestId]) {
        let Some((message, adapter)) = to.message().and_then(|message| {
            let is_its = |adapter: &&Arc<dyn ChannelAdapter>| adapter.meta().account == message.account;
            let adapter = Arc::clone(pipeline.channels().find(is_its)?);
            Some((message, adapter))
        }) else {
            return;
        };
        let route = to.route.clone().or_else(|| adapter.route_to(message.sender.primary()));
        let (Some(route), Some(first)) = (route, ids.first()) else { return };
        let text = OutboundText { body, kind: TextKind::Notice, idempotency_key: format!("pair-{first}") };
        let account = &message.account;
        for tries in 1..=TRIES {
            // INVARIANT I9: asked before every try, since waits lie between them.
            let Some(present) = self.owner_of(&message).await else { return };
            if !self.0.gate.lets_in(&message).await {
                return;
            }
            match adapter.send_text(&route, &text).await {
                Ok(()) => {
                    self.has_shown(&present.owner, ids);
                    if to.mode == Mode::Once {
                        self.told_once(to.clone()).await;
                    }
                    return;
                }
                Err(SendError::Failed { reason, retry_after }) if tries < TRIES => {
                    tracing::warn!(%account, "the owner was not told of a request and is told again: {reason}");
                    let wait = retry_after.unwrap_or_else(|| backoff(tries));
                    tokio::time::sleep(wait.min(HOUR)).await;
                }
                Err(error) => {
                    tracing::error!(%account, "the owner may not have been told of a request: {error}");
                    return;
                }
            }
        }
    }

    async fn told_once(&self, told: Subscriber) {
        let forget = move |book: &mut Book| book.subscribers.retain(|one| *one != told);
        if let Err(error) = self.0.notices.change(forget).await {
            tracing::error!("the owner will be told once more of a request: {error}");
        }
    }

    /// Notes that an owner wants to be told. To be told of all includes to be told of the next.
    pub(super) async fn subscribe(
        &self,
        turn: &Turn,
        present: &Present,
        mode: Mode,
    ) -> io::Result<Option<Mode>> {
        let mode = match self.subscription(present).await? {
            Some(Mode::Persistent) => Mode::Persistent,
            _ => mode,
        };
        self.note(turn, present, mode).await
    }

    /// Notes that an owner wants to be told of the next request, and of no other.
    pub(super) async fn subscribe_once(&self, turn: &Turn, present: &Present) -> io::Result<Option<Mode>> {
        self.note(turn, present, Mode::Once).await
    }

    async fn note(&self, turn: &Turn, present: &Present, mode: Mode) -> io::Result<Option<Mode>> {
        let now = self.0.gate.clock().now();
        // What waits already is not new.
        let view = self.view().await;
        let waiting =
            view.map(|view| self.waiting(&view).iter().map(|one| one.id.clone()).collect::<Vec<_>>());
        let subscriber = Subscriber::of(present, turn.message().route.clone(), mode, now);
        let owner = present.owner.clone();
        let note = move |book: &mut Book| {
            if book.subscribers.is_empty() {
                book.take_new(&waiting.unwrap_or_default(), now);
            }
            book.subscribers.retain(|one| !one.is(&owner));
            book.subscribers.push(subscriber);
        };
        self.0.notices.change(note).await.map(|()| Some(mode))
    }

    pub(super) async fn unsubscribe(&self, present: &Present) -> io::Result<Option<Mode>> {
        let owner = present.owner.clone();
        let forget = move |book: &mut Book| book.subscribers.retain(|one| !one.is(&owner));
        self.0.notices.change(forget).await.map(|()| None)
    }

    pub(super) async fn subscription(&self, present: &Present) -> io::Result<Option<Mode>> {
        let owner = present.owner.clone();
        let look =
            move |book: &mut Book| book.subscribers.iter().find(|one| one.is(&owner)).map(|one| one.mode);
        self.0.notices.change(look).await
    }
}

impl Book {
    /// Where somebody wants to be told: [`Book::take_new`]. Nothing is written for nobody.
    fn take_new_for_somebody(
        &mut self,
        waiting: &[DeviceRequestId],
        now: Timestamp,
    ) -> (Vec<DeviceRequestId>, Vec<Subscriber>) {
        if self.subscribers.is_empty() { Default::default() } else { self.take_new(waiting, now) }
    }

    /// Those of the requests that were not told, and whom to tell. They count as told from now on, also if we die before:
    /// nobody is told twice.
    fn take_new(
        &mut self,
        waiting: &[DeviceRequestId],
        now: Timestamp,
    ) -> (Vec<DeviceRequestId>, Vec<Subscriber>) {
        let Self { subscribers, notified_request_ids: told, .. } = self;
        let new: Vec<_> = waiting.iter().filter(|id| !told.contains_key(*id)).cloned().collect();
        if !new.is_empty() {
            told.retain(|_, at| Timestamp::from_millis(*at).age_at(now) < REMEMBERED);
            while told.len() + new.len() > MOST_REMEMBERED
                && let Some(oldest) = told.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone())
            {
                told.remove(&oldest);
            }
            told.extend(new.iter().map(|id| (id.clone(), now.as_millis())));
        }
        (new, subscribers.clone())
    }
}

impl Subscriber {
    fn of(present: &Present, route: ReplyRoute, mode: Mode, now: Timestamp) -> Self {
        let Present { entry, owner: (account, primary) } = present;
        let is_established = account.channel().as_str() == ESTABLISHED;
        Self {
            to: primary.as_str().to_owned(),
            account_id: Some(account.account().as_str().to_owned()),
            channel: (!is_established).then(|| account.channel().as_str().to_owned()),
            alias: (entry != primary).then(|| entry.as_str().to_owned()),
            route: Some(route),
            mode,
            added_at_ms: now.as_millis(),
            extra: Map::new(),
        }
    }

    fn account(&self) -> Option<AccountKey> {
        let channel = self.channel.as_deref().unwrap_or(ESTABLISHED);
        AccountKey::parse(channel, self.account_id.as_deref().unwrap_or("default")).ok()
    }

    fn is(&self, (account, primary): &Owner) -> bool {
        self.to == primary.as_str() && self.account().as_ref() == Some(account)
    }

    /// As if they wrote: what is asked of the list and of the gate.
    fn message(&self) -> Option<InboundMessage> {
        let account = self.account()?;
        let primary = SenderId::parse(account.channel(), &self.to).ok()?;
        let alias = self.alias.as_deref().and_then(|alias| SenderId::parse(account.channel(), alias).ok());
        let aliases = alias.into_iter().collect();
        let sender = Sender::with_parts(primary, aliases, Strength::Authenticated, None);
        Some(InboundMessage::direct(account, sender, ""))
    }
}
