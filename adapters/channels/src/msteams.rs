//! Microsoft Teams, over the Bot Framework.
//!
//! The Bot Connector calls our web server with an activity and a bearer token. What is proven: the token is signed by a
//! key that the Bot Framework publishes and that it endorses for `msteams`, was issued by it for our app and for now, and
//! names the `serviceUrl` that the activity names, so that nobody can have us answer elsewhere. The sender is the user
//! object of our own directory (`from.aadObjectId`, where the activity's tenant is ours), and `from.id` (`29:…`), which is
//! of this bot alone; names are for display. A conversation is one-to-one if it is `personal` and of our tenant.
//!
//! Teams repeats what was not answered in time; repeats are dropped. What comes while we are off is lost.
//!
//! Texts go to the `serviceUrl` of the conversation, only on hosts of Teams or configured ones, with a token of our own
//! tenant. There is no way to somebody of whom only the id is known, so the conversation is the reply route.
//!
//! An `invoke` (a card's action that waits for an answer) makes nobody act. Other channels of the same bot (Web Chat,
//! Direct Line) are refused: who somebody is there, they choose themselves.

mod activity;
mod api;
mod config;
mod hook;
mod route;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use api::Connector;
use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, Webhook, World,
};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::jwt::{Token, Verifier};
use crate::life::{End, RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Microsoft Teams, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "msteams",
    transports: &[Transport::Webhook],
    features: &[Feature::Attachments, Feature::Typing],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Teams::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// The longest text, in UTF-16 units: a message may have about 28 KB, and no unit takes more than three.
const TEXT_LIMIT: usize = 8_000;

/// One bot in Teams.
pub struct Teams {
    meta: ChannelMeta,
    own: activity::Own,
    verifier: Verifier,
    connector: Connector,
    /// Conversation and activity.
    seen: Dedupe<(String, String)>,
    status: StatusCell,
    world: World,
    retry: (std::time::Duration, std::time::Duration),
}

impl Teams {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        if setup.webhook_url().is_none() {
            let told = "Teams calls us: `public_url` is needed in [gateway], where it reaches us";
            return Err(ConfigError::Setup(told.to_owned()));
        }
        config.check()?;
        let verifier = config.verifier(&setup.world)?;
        let connector = Connector::new(&config, &setup.world)?;
        Ok(Self {
            meta: setup.meta(TEXT_LIMIT, false),
            own: activity::Own { app_id: config.app_id, tenant: config.tenant_id },
            verifier,
            connector,
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
            if let Err(error) = self.connector.token().await {
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
impl ChannelAdapter for Teams {
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
        send::text(&self.connector, route, text).await
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(&self.connector, route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.connector.fetch(attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
