//! LINE, over its Messaging API.
//!
//! Events come by web hook. What is proven: the body is signed with the channel secret (`x-line-signature`, HMAC-SHA256),
//! compared before it is parsed. The sender is `source.userId`, which LINE authenticated and which is the same for all
//! channels of one provider; an event names nobody otherwise. A conversation is one-to-one if its source is a `user`;
//! groups and rooms (chats of several) are not.
//!
//! LINE has no way to ask for what was missed, and repeats an event that was not taken only where the owner switched
//! redelivery on; repeats are known by `webhookEventId` and dropped. Events of a channel that is on standby, because
//! another one has the chat in hand, make nobody act.
//!
//! Answers are pushed to the user id, so a notice finds its way days later. The reply token of an event, which would cost
//! nothing and dies within a minute, is not used. Each text has a retry key: LINE takes a text with the same key once.

mod api;
mod config;
mod event;
mod hook;
mod route;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api::LineApi;
use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::life::RETRY;
use crate::memory::Memory;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::status::StatusCell;

/// LINE, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "line",
    transports: &[Transport::Webhook],
    features: &[Feature::Attachments, Feature::Typing],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Line::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One LINE official account.
pub struct Line {
    meta: ChannelMeta,
    api: LineApi,
    secret: Secret,
    /// Where LINE calls us.
    url: String,
    memory: Memory,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// The first and the longest wait before LINE is told again where to call.
    retry: (Duration, Duration),
    /// How long LINE is given before it is asked again whether a video is ready.
    readying: Duration,
}

const PACE: Pace = Pace { retry: RETRY, readying: Duration::from_secs(1) };

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

impl Line {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let url = setup.webhook_url().ok_or_else(|| {
            ConfigError::Setup(
                "LINE calls us: it needs `public_url` in [gateway], an `https` address".to_owned(),
            )
        })?;
        Ok(Self {
            api: LineApi::new(&config, PATIENCE)?,
            meta: setup.meta(5_000, true),
            secret: config.channel_secret,
            url,
            memory: Memory::new(setup.account.clone(), setup.keeper),
            status: StatusCell::new(setup.account),
            world: setup.world,
            pace: PACE,
        })
    }
}

#[async_trait]
impl ChannelAdapter for Line {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.memory.keep(self.register(&inbox, &shutdown)).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        hook::signature_in(head).err()
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.take(request).await.unwrap_or_else(Webhook::status)
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(self, route, text).await
    }

    /// A push is addressed to the user's id.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        route::to(sender.as_str())
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(&self.api, route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.api.fetch(attachment, self.pace.readying, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
