//! Google Chat, as a Chat app with an HTTP endpoint: of the older kind, or as a Workspace add-on.
//!
//! Google calls our web server with an event and a bearer token. What is proven depends on what the app's page names as
//! audience:
//!
//! - our address, for an add-on: an ID token of Google's, for that address, whose authenticated `email` is exactly the one
//!   that the owner configured. Any token of Google's for our address proves nothing alone: whoever has an account there
//!   can have one, and that of Google Chat itself, which serves apps that are no add-ons, names no app;
//! - the number of the project: a token that `chat@system.gserviceaccount.com` signed itself, for that number.
//!
//! The sender is the user of the event (`users/…`, of type `HUMAN`); names and addresses are for display. A space is
//! one-to-one if it is a direct message (`DIRECT_MESSAGE`, or `DM` in the older field) **and** between one user and an
//! app (`singleUserBotDm`).
//!
//! The answer to a call is `{}`; texts go by the Chat API, with a service account. Google does not repeat what it could
//! not deliver: what comes while we are off is lost.

mod api;
mod config;
mod event;
mod hook;
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
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::jwt::{Token, Verifier};
use crate::life::{End, RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Google Chat, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "googlechat",
    transports: &[Transport::Webhook],
    features: &[Feature::Attachments],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(GoogleChat::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One Chat app.
pub struct GoogleChat {
    meta: ChannelMeta,
    verifier: Verifier,
    /// Whose ID token it must be, where it is one.
    identity: Option<String>,
    api: ChatApi,
    /// Messages by their names, other events by what makes them one.
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    retry: (Duration, Duration),
}

impl GoogleChat {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let Some(own_url) = setup.webhook_url() else {
            let told = "Google calls us: `public_url` is needed in [gateway], where it reaches us";
            return Err(ConfigError::Setup(told.to_owned()));
        };
        let api = ChatApi::new(&config, &setup.world)?;
        let (verifier, identity) = config.verifier(own_url, &setup.world)?;
        Ok(Self {
            // By `requestId`.
            meta: setup.meta(4_096, true),
            verifier,
            identity,
            api,
            seen: Dedupe::new(1_024),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }

    /// Gets the keys and a token, which shows that what the owner told is right, and renews the keys from then on.
    async fn stay_ready(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let work = async {
            if let Err(error) = self.verifier.keys.renew().await {
                return End::Lost(error.to_string());
            }
            if let Err(error) = self.api.token().await {
                return api::end(&error);
            }
            self.status.set(ChannelStatus::Ready);
            inbox.reachable(&self.meta.account);
            End::Lost(self.verifier.keys.keep_renewing(&self.meta.account).await.to_string())
        };
        tokio::select! {
            () = shutdown.cancelled() => End::Stopped,
            end = work => end,
        }
    }
}

#[async_trait]
impl ChannelAdapter for GoogleChat {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let connection = || self.stay_ready(&inbox, &shutdown);
        stay_connected(&self.world, self.retry, &self.status, &shutdown, connection).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        Token::of(head).err()
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.take(request).await.unwrap_or_else(Webhook::status)
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.api, route, text).await
    }

    /// The direct message with somebody can be found by their id.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.api.fetch(attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
