//! Signal, by the daemon of signal-cli.
//!
//! Signal has no API. `signal-cli daemon --http` is a device of an account, with that account's keys. Events come from it
//! as server-sent events, and it is called by JSON-RPC; both over HTTP, and nothing of ours has to be reachable.
//!
//! What is proven: the daemon decrypts a message only with the sender's session, so its sender is who it says, as far as
//! the daemon is the daemon. It asks nobody for a password, so it must listen on this machine alone; an address elsewhere
//! is refused unless the owner says `remote = true`. The sender is the account id (ACI, `uuid:…`); the telephone number of
//! the same envelope is an alias, where the sender shares it. A number by itself proves little, since it can be given to
//! somebody else, and an id that only stands for a number (PNI) proves no account: such a sender is
//! [`dmgate::Strength::Mutable`] and refused. A conversation is one-to-one if the message has no group.
//!
//! A daemon that receives while nobody listens loses what comes; with `--receive-mode=on-connection` Signal keeps it until
//! we listen. Newer daemons number their events, and are asked for those after the last one that the gate has taken. The
//! comment that the daemon sends every 15 seconds shows that the line is alive; its answer to our request may take as long.

mod api;
mod attachment;
mod config;
mod envelope;
mod events;
mod login;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api::Daemon;
use async_trait::async_trait;
use config::Settings;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, World,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::kept::Kept;
use crate::life::{RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Signal, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "signal",
    transports: &[Transport::Socket],
    features: &[Feature::Attachments, Feature::Typing, Feature::Login, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Signal::open(setup, Config::from_options(options)?)?)),
    login: Some(|login| Box::pin(login::log_in(login))),
};

/// One account on Signal.
pub struct Signal {
    meta: ChannelMeta,
    daemon: Daemon,
    /// Our own number.
    own: SenderId,
    kept: Kept<Place>,
    /// A message's id is its sender and their stamp.
    seen: Dedupe<(SenderId, i64)>,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// Where we stand in the daemon's events.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    event: Option<String>,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// How long the daemon may be silent, which says something every 15 seconds.
    quiet: Duration,
    /// How often the daemon is asked whether it has the account by now.
    login: Duration,
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
}

const PACE: Pace = Pace { quiet: Duration::from_secs(45), login: Duration::from_secs(15), retry: RETRY };

impl Signal {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let Settings { own, daemon } = Settings::check(setup.account.channel(), config)?;
        Ok(Self {
            meta: setup.meta(2_000, false),
            daemon,
            own,
            kept: Kept::new(setup.account.clone(), setup.keeper),
            seen: Dedupe::new(4_096),
            status: StatusCell::new(setup.account),
            world: setup.world,
            pace: PACE,
        })
    }
}

#[async_trait]
impl ChannelAdapter for Signal {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let receive = || self.receive(&inbox, &shutdown);
        stay_connected(&self.world, self.pace.retry, &self.status, &shutdown, receive).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.daemon, &self.meta.account, route, &text.body).await
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(&self.daemon, self.meta.account.channel(), route).await;
    }

    async fn fetch(
        &self,
        permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        attachment::fetch(&self.daemon, permit.sender(), &attachment.reference, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
