//! Synology Chat, as a bot of one NAS.
//!
//! Events come by web hook, from the NAS itself. What is proven: that the caller knows the bot's token, which is a field of
//! the body and compared before anything else of it is looked at. Nothing is signed and no stamp is proven, so the way from
//! the NAS must be HTTPS or a network of one's own; a copy is known by its `post_id`.
//!
//! The sender is `user_id`. `username` is a nickname that people change, for display. What people write to a bot is
//! one-to-one; a post in a channel has the channel's name or the word that triggered it. Calls of an *outgoing web hook*
//! number people in their own way, and a text to such a number reaches somebody else: so a conversation counts as
//! one-to-one only if the list of users that the NAS keeps for bots has that number under that name.

mod api;
mod config;
mod event;
mod hook;
mod people;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api::ChatApi;
use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, OPTIONS};
use dmgate::{
    ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, Inbox, OutboundText, ReplyRoute, SendError,
    SenderId, Webhook, World,
};
use people::People;
use send::Pacing;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::life::RETRY;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::status::StatusCell;

/// Synology Chat, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "synology-chat",
    transports: &[Transport::Webhook],
    features: &[],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(SynologyChat::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One bot of one NAS.
pub struct SynologyChat {
    meta: ChannelMeta,
    api: ChatApi,
    token: Secret,
    people: People,
    seen: Dedupe<String>,
    pacing: Pacing,
    status: StatusCell,
    world: World,
    /// The first and the longest wait before the NAS is asked again.
    retry: (Duration, Duration),
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

impl SynologyChat {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        if setup.public_url.is_none() {
            let told =
                "Synology Chat calls us: it needs `public_url` in [gateway], an address that the NAS reaches";
            return Err(ConfigError::Setup(told.to_owned()));
        }
        Ok(Self {
            api: ChatApi::new(&config, PATIENCE)?,
            meta: setup.meta(2_000, false),
            token: config.token,
            people: People::default(),
            seen: Dedupe::new(1_024),
            pacing: Pacing::default(),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }
}

#[async_trait]
impl ChannelAdapter for SynologyChat {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.attend(&inbox, &shutdown).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        crate::webhook::is_post(head).err()
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.take(request).await.unwrap_or_else(Webhook::status)
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(self, route, text).await
    }

    /// A text is addressed to the user's id.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        let route = ReplyRoute::new(sender.as_str());
        send::user(&route).map(|_| route.clone())
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
