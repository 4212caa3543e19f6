//! One relay of ours: what lies there for us, and what comes.

use std::time::Duration;

use ::nostr::nips::nip42::ClientAuthentication;
use ::nostr::prelude::*;
use dmgate::{AccountKey, ChannelError, ChannelStatus, Inbox, escape};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Nostr;
use super::event::open;
use super::send::inbox_list;
use crate::life::{End, stay_connected};
use crate::socket::{Frame, Socket, SocketAddress, SocketEnd};
use crate::status::StatusCell;

/// How far back every connection asks: a wrap's time may be two days before it was made, and clocks differ.
const BACK: u64 = (2 * 24 + 2) * 60 * 60;

/// A page of so many events may have been cut by the relay's own limit.
const PAGE: usize = 50;

/// When to come again where a relay does not want us.
const UNWANTED: Duration = Duration::from_secs(600);

/// What live events are asked for by, and older ones than those.
const LIVE: &str = "dmgate";
const OLDER: &str = "dmgate-older";

/// The longest challenge that is signed, in bytes.
const CHALLENGE_BYTES: usize = 1_024;

/// One relay of ours.
pub(super) struct Relay {
    pub(super) url: RelayUrl,
    address: SocketAddress,
    status: StatusCell,
}

/// One connection to it.
struct Connection<'a> {
    nostr: &'a Nostr,
    relay: &'a Relay,
    inbox: &'a Inbox,
    shutdown: &'a CancellationToken,
    socket: Socket,
    since: u64,
    /// The event by which we say who we are, until it is answered.
    login: Option<EventId>,
    /// The page that comes now: how many events, and the time of the oldest.
    page: (usize, Option<u64>),
    /// Where the page before it ended.
    until: Option<u64>,
    /// Whether the operator knows that something could not be asked for.
    has_gap: bool,
}

impl Relay {
    /// The relay at a `wss` or `ws` URL; the error says what is expected.
    pub(super) fn new(url: &str, account: &AccountKey) -> Result<Self, String> {
        let address = SocketAddress::parse(url)?;
        let url = RelayUrl::parse(url.trim());
        let url =
            url.map_err(|_| "a relay's address is expected, as `wss://relay.example.org`".to_owned())?;
        Ok(Self { url, address, status: StatusCell::new(account.clone()) })
    }

    pub(super) fn status(&self) -> ChannelStatus {
        self.status.get()
    }

    /// Waits for a status.
    #[cfg(test)]
    pub(super) async fn reach(&self, wanted: impl Fn(&ChannelStatus) -> bool) -> ChannelStatus {
        self.status.reach(wanted).await
    }
}

impl Nostr {
    /// Receives from all relays, each of which is connected to again by itself.
    pub(super) async fn receive(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        self.taken.resume(self.place.get().await, &self.keys.public_key().to_hex());
        let relays = self.relays.iter().map(|relay| async move {
            let connection = || self.connect(relay, inbox, shutdown);
            stay_connected(&self.world, self.pace.retry, &relay.status, shutdown, connection).await
        });
        let all = futures_util::future::try_join_all(relays);
        let ended = tokio::select! {
            ended = all => ended.map(drop),
            () = async { loop { tokio::time::sleep(self.pace.save).await; self.save().await; } } => Ok(()),
        };
        self.save().await;
        ended
    }

    async fn save(&self) {
        if let Some(news) = self.taken.news() {
            self.place.change(|place| *place = news).await;
        }
    }

    async fn connect(&self, relay: &Relay, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let lost = |end: SocketEnd| End::Lost(format!("{}: {end}", relay.url));
        let connected = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            connected = Socket::connect(&relay.address, http::HeaderMap::new(), None) => connected,
        };
        let socket = match connected {
            Ok(socket) => socket,
            Err(end) => return lost(end),
        };
        let mut connection = Connection {
            nostr: self,
            relay,
            inbox,
            shutdown,
            socket,
            since: self.now().saturating_sub(BACK),
            login: None,
            page: (0, None),
            until: None,
            has_gap: false,
        };
        match connection.serve().await {
            Ok(end) => {
                connection.socket.close(1000).await;
                end
            }
            Err(end) => lost(end),
        }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.world.clock.now().as_millis() / 1_000).unwrap_or_default()
    }
}

impl Connection<'_> {
    async fn serve(&mut self) -> Result<End, SocketEnd> {
        self.subscribe().await?;
        loop {
            let frame = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(End::Stopped),
                frame = self.socket.next() => frame?,
            };
            let Frame::Text(text) = frame else { continue };
            let Ok(said) = serde_json::from_str::<Vec<Value>>(&text) else { continue };
            let text = |at: usize| said.get(at).and_then(Value::as_str).unwrap_or_default();
            let end = match (text(0), text(1)) {
                ("EVENT", LIVE | OLDER) => match said.get(2) {
                    Some(event) => self.take(event).await,
                    None => None,
                },
                ("EOSE", subscription @ (LIVE | OLDER)) => {
                    self.page_ended(subscription).await?;
                    None
                }
                ("AUTH", challenge) => {
                    self.log_in(challenge).await?;
                    None
                }
                ("OK", id) => {
                    let is_taken = said.get(2).and_then(Value::as_bool) == Some(true);
                    self.answered(id, is_taken, text(3)).await?
                }
                ("CLOSED", LIVE) => self.closed(text(2)),
                ("NOTICE", notice) => {
                    tracing::debug!(relay = %self.relay.url, "the relay says: {}", escape(notice));
                    None
                }
                _ => None,
            };
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// Asks for what lies there, and for what comes.
    async fn subscribe(&mut self) -> Result<(), SocketEnd> {
        (self.page, self.until) = ((0, None), None);
        self.ask(LIVE, None).await
    }

    async fn ask(&mut self, subscription: &str, until: Option<u64>) -> Result<(), SocketEnd> {
        let own = self.nostr.keys.public_key().to_hex();
        let mut filter = json!({ "kinds": [1059, 4], "#p": [own], "since": self.since });
        if let (Some(until), Some(filter)) = (until, filter.as_object_mut()) {
            filter.insert("until".to_owned(), until.into());
        }
        self.socket.send(json!(["REQ", subscription, filter]).to_string()).await
    }

    /// Everything that lay there has come, or as much as the relay gives at once.
    async fn page_ended(&mut self, subscription: &str) -> Result<(), SocketEnd> {
        if self.relay.status() != ChannelStatus::Ready {
            self.relay.status.set(ChannelStatus::Ready);
            self.inbox.reachable(&self.nostr.meta.account);
            if self.nostr.announces
                && let Some(list) = inbox_list(self.nostr)
            {
                self.socket.send(json!(["EVENT", list]).to_string()).await?;
            }
        }
        let (count, oldest) = std::mem::take(&mut self.page);
        let is_older = |oldest: &u64| *oldest > self.since && self.until.is_none_or(|until| *oldest <= until);
        if let Some(oldest) = oldest.filter(|oldest| count >= PAGE && is_older(oldest)) {
            let is_stuck = self.until == Some(oldest);
            if is_stuck && !std::mem::replace(&mut self.has_gap, true) {
                tracing::warn!(
                    account = %self.nostr.meta.account, relay = %self.relay.url,
                    "more events bear one time than the relay gives at once; some of them are not seen"
                );
            }
            // What lies below is not hidden by them.
            let until = if is_stuck { oldest - 1 } else { oldest };
            self.until = Some(until);
            return self.ask(OLDER, Some(until)).await;
        }
        if subscription == OLDER {
            self.socket.send(json!(["CLOSE", OLDER]).to_string()).await?;
        }
        Ok(())
    }

    /// Takes an event; `Some` at a shutdown.
    async fn take(&mut self, event: &Value) -> Option<End> {
        let (nostr, account) = (self.nostr, &self.nostr.meta.account);
        let dropped = |reason: &str| tracing::debug!(%account, relay = %self.relay.url, "an event is dropped: {reason}");
        let Ok(event) = serde_json::from_value::<Event>(event.clone()) else {
            dropped("it is malformed");
            return None;
        };
        self.page.0 += 1;
        let at = event.created_at.as_secs();
        self.page.1 = Some(self.page.1.map_or(at, |oldest| oldest.min(at)));
        // What bears the id of something that was taken is that, or is forged.
        let id = event.id.to_bytes();
        if nostr.taken.knows(&id) {
            return None;
        }
        let opened = match open(account, &nostr.keys, &event) {
            Ok(opened) => opened,
            Err(reason) => {
                dropped(reason);
                return None;
            }
        };
        if let Some(taking) = nostr.taken.begin(&opened.said, opened.at) {
            if !self.inbox.deliver(opened.message).await {
                return Some(End::Stopped);
            }
            // Only now: what is not noted comes again.
            taking.done(nostr.now());
        }
        // While another relay's is being taken, it may come to nothing.
        if id != opened.said && nostr.taken.has(&opened.said) {
            nostr.taken.note(&id, nostr.now());
        }
        self.shutdown.is_cancelled().then_some(End::Stopped)
    }

    /// Says who we are, which relays want to know before they give what is for us (NIP-42).
    async fn log_in(&mut self, challenge: &str) -> Result<(), SocketEnd> {
        if challenge.is_empty() || challenge.len() > CHALLENGE_BYTES {
            return Ok(());
        }
        let login = ClientAuthentication::new(challenge, self.relay.url.clone()).into_event_builder();
        if let Ok(login) = login.finalize(&self.nostr.keys) {
            self.login = Some(login.id);
            self.socket.send(json!(["AUTH", login]).to_string()).await?;
        }
        Ok(())
    }

    /// The relay's answer to an event of ours.
    async fn answered(&mut self, id: &str, is_taken: bool, reason: &str) -> Result<Option<End>, SocketEnd> {
        let is_login = self.login.is_some_and(|login| login.to_hex() == id);
        if !is_login {
            if !is_taken {
                let reason = escape(reason);
                tracing::warn!(relay = %self.relay.url, "the relay does not publish where our inbox is: {reason}");
            }
            return Ok(None);
        }
        self.login = None;
        if !is_taken {
            return Ok(Some(self.unwanted(reason)));
        }
        // Now it gives more.
        self.subscribe().await.map(|()| None)
    }

    /// The relay gives us nothing any more.
    fn closed(&self, reason: &str) -> Option<End> {
        // It asks who we are, or has asked.
        if reason.starts_with("auth-required:") { None } else { Some(self.unwanted(reason)) }
    }

    fn unwanted(&self, reason: &str) -> End {
        End::Slow(format!("{} does not serve us: {}", self.relay.url, escape(reason)), UNWANTED)
    }
}
