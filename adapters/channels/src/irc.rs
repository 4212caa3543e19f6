//! IRC, over one connection that stays open.
//!
//! On IRC a nick is nobody's: whoever comes first has it, and when they go somebody else may take it. So a sender is
//! their services account (`account:alice`), which the server puts on every line (the IRCv3 tag `account`, with the
//! capability `account-tag`); a line without it proves nothing, and its sender is [`dmgate::Strength::Mutable`] and
//! refused. On a network without services the owner may choose `identity = "hostmask"`: then `nick!user@host` counts,
//! as far as the server vouches for it. A message is one-to-one if it is to our own nick, as the server compares nicks.
//!
//! The way back to a person is their nick *and* their id. Before each text the server is asked who has the nick now
//! (WHOIS), and unless it names that very account, or mask, nothing is sent. So a way stays good over reconnects and
//! restarts, and never leads to whoever took a nick over; see `irc/delivery.rs` for what remains open.
//!
//! We log in before anything else where `sasl_user` is given, and never stay without. The connection outlives `run` for
//! as long as the adapter does: what was let in before a shutdown is still answered.

mod config;
mod connect;
mod connection;
mod delivery;
mod line;
mod message;
mod pacing;
mod registration;
mod route;
mod server;
mod session;
mod split;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use config::Settings;
pub use config::{Config, Identity, OPTIONS};
use delivery::Outgoing;
use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, Inbox, OutboundText, ReplyRoute,
    SendError, SenderId, World,
};
use route::Route;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::adapter::{Channel, Setup, Transport};
use crate::life::RETRY;
use crate::options::ConfigError;
use crate::status::StatusCell;

/// The longest text of one line, in bytes. With the prefix that others see before it, it stays below 512.
const LINE_BYTES: usize = 400;

/// IRC, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "irc",
    transports: &[Transport::Socket],
    features: &[],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Irc::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One connection to one IRC network.
pub struct Irc {
    shared: Arc<Shared>,
    world: World,
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
    /// Keeps the connection after `run` has ended.
    last: Mutex<Option<DropGuard>>,
}

/// What the adapter and its connection both need.
struct Shared {
    meta: ChannelMeta,
    settings: Settings,
    status: StatusCell,
    /// Where texts go while we are connected; closed, or none, while we are not.
    outbox: Mutex<Option<mpsc::Sender<Outgoing>>>,
}

impl Irc {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let settings = Settings::check(config)?;
        // A part of an answer is at most about fifteen lines, half a minute's worth.
        let meta = setup.meta(2_000, false);
        let shared =
            Shared { meta, settings, status: StatusCell::new(setup.account), outbox: Mutex::new(None) };
        Ok(Self { shared: Arc::new(shared), world: setup.world, retry: RETRY, last: Mutex::new(None) })
    }
}

#[async_trait]
impl ChannelAdapter for Irc {
    fn meta(&self) -> &ChannelMeta {
        &self.shared.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        // A connection of an earlier run would hold our nick.
        self.keep(None);
        self.stay_connected(&inbox, &shutdown).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let lines = split::lines(&text.body, LINE_BYTES);
        let impossible = |reason: &str| SendError::Impossible { reason: reason.to_owned() };
        let route = Route::parse(route).ok_or_else(|| impossible("this is no way to a person"))?;
        if lines.is_empty() {
            return Err(impossible("there is nothing in the text"));
        }
        let unsent = |reason: &str| SendError::Failed { reason: reason.to_owned(), retry_after: None };
        let outbox = self.shared.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outbox = outbox.ok_or_else(|| unsent("not connected"))?;
        let (done, outcome) = oneshot::channel();
        let outgoing = Outgoing { route, lines, done };
        let ended = || unsent("the connection ended before its turn");
        outbox.send(outgoing).await.map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Route::to(sender).map(|route| route.to_reply())
    }

    fn status(&self) -> ChannelStatus {
        self.shared.status.get()
    }
}

impl Irc {
    /// Keeps a connection in place of the one that was kept, which ends.
    fn keep(&self, connection: Option<DropGuard>) {
        let before =
            std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), connection);
        drop(before);
    }
}

impl Shared {
    fn account(&self) -> &AccountKey {
        &self.meta.account
    }

    /// Whether texts can be sent.
    fn is_open(&self) -> bool {
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        outbox.as_ref().is_some_and(|outbox| !outbox.is_closed())
    }
}
