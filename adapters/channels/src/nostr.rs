//! Nostr: encrypted messages that lie on relays.
//!
//! A person is a key. Two kinds of messages are read, and answered in kind: NIP-17, where the message is in a seal that its
//! sender signed, and the seal in a wrap that a key of one time signed; and the older NIP-04, where the sender signed the
//! event itself. What is proven: with NIP-04, the event's signature by its `pubkey`; with NIP-17, the wrap's signature, the
//! seal's, and that the message in it names the very key that signed the seal. No relay can write in another's name, nor
//! can whoever made the wrap. Names (NIP-05) are not looked at.
//!
//! A message is one-to-one if we are the only one it is for: one `p` tag, ours.
//!
//! Wraps bear a time of up to two days before they were made, so every connection asks for all of the last two days, and
//! each relay gives the same. So what was taken is remembered over restarts, by the wrap and by what is in it.
//!
//! An answer to a NIP-17 message goes to the relays that its receiver names as their inbox (kind 10050), an answer to a
//! NIP-04 message to our own. The former are addresses from outside; see `nostr/reach.rs` for where we go.

mod config;
mod errand;
mod event;
mod place;
mod reach;
mod relay;
mod route;
mod send;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::nostr::prelude::{Event, Keys};
use async_trait::async_trait;
pub use config::{Config, OPTIONS};
use dmgate::{
    ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, Inbox, OutboundText, ReplyRoute, SendError,
    SenderId, World,
};
use place::{Place, Taken};
use reach::Reach;
use relay::Relay;
use route::{Format, Route};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::kept::{Kept, Latest};
use crate::life::RETRY;
use crate::options::ConfigError;

/// Nostr, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "nostr",
    transports: &[Transport::Socket],
    features: &[Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Nostr::open(setup, &Config::from_options(options)?)?)),
    login: None,
};

/// The longest text, in UTF-16 units. In JSON, none of which becomes more than six bytes, it must stay below 32 KiB: what
/// is encrypted twice grows, and NIP-44 takes 64 KiB.
const TEXT_LIMIT: usize = 5_000;

/// One key, and the relays where people write to it.
pub struct Nostr {
    meta: ChannelMeta,
    keys: Keys,
    relays: Vec<Relay>,
    reach: Reach,
    announces: bool,
    place: Kept<Place>,
    taken: Taken,
    /// Events of texts that were sent a moment ago: a second try is the same event, which relays take once.
    sent: Mutex<Latest<String, Event, 64>>,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// How long what was taken may be known to memory only: a crash brings it again.
    save: Duration,
    /// How long a relay may take for an errand.
    errand: Duration,
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
}

const PACE: Pace = Pace { save: Duration::from_secs(1), errand: Duration::from_secs(15), retry: RETRY };

impl Nostr {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: &Config) -> Result<Self, ConfigError> {
        let keys = Keys::parse(config.secret_key.reveal().trim()).map_err(|_| ConfigError::Invalid {
            name: "secret_key",
            reason: "a secret key is expected, as `nsec1…` or 64 hex digits".to_owned(),
        })?;
        let relays: Result<Vec<Relay>, String> =
            config.relays.iter().map(|url| Relay::new(url, &setup.account)).collect();
        let relays = relays.map_err(|reason| ConfigError::Invalid { name: "relays", reason })?;
        Ok(Self {
            meta: setup.meta(TEXT_LIMIT, false),
            keys,
            reach: Reach::new(config.private_relays, &config.relays),
            relays,
            announces: config.announce,
            place: Kept::new(setup.account, setup.keeper),
            taken: Taken::default(),
            sent: Mutex::default(),
            world: setup.world,
            pace: PACE,
        })
    }
}

#[async_trait]
impl ChannelAdapter for Nostr {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.receive(&inbox, &shutdown).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        self.send(route, text).await
    }

    /// Everybody can be written to by their key; newer programs read NIP-17.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Route::new(Format::Nip17, sender.as_str()).map(|route| route.to_reply())
    }

    /// Receiving as long as one relay gives us what it has.
    fn status(&self) -> ChannelStatus {
        let all: Vec<ChannelStatus> = self.relays.iter().map(Relay::status).collect();
        if all.contains(&ChannelStatus::Ready) {
            return ChannelStatus::Ready;
        }
        let told = |status: ChannelStatus| match status {
            ChannelStatus::Connecting(reason) => reason,
            ChannelStatus::Refused(reason) | ChannelStatus::NeedsLogin(reason) => Some(reason),
            ChannelStatus::Ready => None,
        };
        let reasons: Vec<String> = all.into_iter().filter_map(told).collect();
        ChannelStatus::Connecting((!reasons.is_empty()).then(|| reasons.join("; ")))
    }
}
