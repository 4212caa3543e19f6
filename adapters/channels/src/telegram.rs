//! Telegram, over its Bot API.
//!
//! Events come by long poll, which needs no web server, or by web hook. What is proven: with the long poll, that we
//! asked the Bot API itself with our token; with the web hook, that the caller knows the secret that we gave Telegram
//! with `setWebhook`, compared before the body is parsed. The sender is `from.id`, which Telegram authenticated; names
//! and user names are for display. A conversation is one-to-one if the chat is `private` and its id is the sender's.
//!
//! An update is confirmed only after the gate has taken it, so a crash loses none; the few that were taken and not yet
//! confirmed come again. With the web hook, Telegram repeats what it thinks we did not get; repeats are dropped.
//!
//! A press of a button is a message like any other for the gate. It is not acknowledged to Telegram
//! (`answerCallbackQuery`), since nothing that came in is answered before it is decided.

mod api;
mod config;
mod hook;
mod poll;
mod send;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;
use std::time::Duration;

use api::BotApi;
use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, Mode, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundPicture, OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::status::StatusCell;

/// Telegram, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "telegram",
    transports: &[Transport::Poll, Transport::Webhook],
    features: &[Feature::Attachments, Feature::Typing],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Telegram::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One Telegram bot.
pub struct Telegram {
    meta: ChannelMeta,
    api: BotApi,
    /// The bot's own user id, which is the head of its token.
    own_id: i64,
    hook: Option<hook::Hook>,
    seen: Dedupe<i64>,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// How long Telegram holds a poll that has nothing to say.
    poll: Duration,
    /// How long an answer may take beyond that.
    patience: Duration,
    first_retry: Duration,
    longest_retry: Duration,
}

const PACE: Pace = Pace {
    poll: Duration::from_secs(50),
    patience: Duration::from_secs(15),
    first_retry: Duration::from_secs(1),
    longest_retry: Duration::from_secs(60),
};

impl Telegram {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let own_id = own_id(&config.token)?;
        let hook = match config.mode {
            Mode::Poll => None,
            Mode::Webhook => Some(hook::Hook::new(&setup, config.webhook_secret)?),
        };
        let invalid = |reason| ConfigError::Invalid { name: "api_base", reason };
        let proxy = config.proxy.as_ref();
        let api = BotApi::new(&config.api_base, config.token, proxy, PACE.patience).map_err(invalid)?;
        Ok(Self {
            meta: setup.meta(4_096, false),
            api,
            own_id,
            hook,
            seen: Dedupe::new(1_024),
            status: StatusCell::new(setup.account),
            world: setup.world,
            pace: PACE,
        })
    }

    /// What an update says, if it says anything that someone sent.
    fn parse(&self, update: &Value) -> Option<dmgate::InboundMessage> {
        update::parse(&self.meta.account, self.own_id, update)
            .inspect_err(
                |reason| tracing::debug!(account = %self.meta.account, "an update is dropped: {reason}"),
            )
            .ok()
    }
}

#[async_trait]
impl ChannelAdapter for Telegram {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        match &self.hook {
            None => self.poll(&inbox, &shutdown).await,
            Some(hook) => self.register(hook, &inbox, &shutdown).await,
        }
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        self.hook.as_ref().map_or(Some(http::StatusCode::NOT_FOUND), |hook| hook.refuses(head))
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        match &self.hook {
            None => Webhook::status(http::StatusCode::NOT_FOUND),
            Some(hook) => self.take(hook, request).unwrap_or_else(Webhook::status),
        }
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.api, route, text).await
    }

    async fn send_picture(&self, route: &ReplyRoute, picture: &OutboundPicture) -> Result<(), SendError> {
        send::picture(&self.api, route, picture).await
    }

    /// A private chat has the id of its user.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
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
        self.api.fetch(attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}

/// The bot's user id. A token in any other form would end up in a URL that means something else.
fn own_id(token: &Secret) -> Result<i64, ConfigError> {
    let parts = token.reveal().split_once(':').filter(|(_, secret)| is_word(secret));
    parts.and_then(|(id, _)| id.parse().ok()).filter(|id: &i64| *id > 0).ok_or_else(|| ConfigError::Invalid {
        name: "token",
        reason: "this is no bot token; BotFather gives one that looks like `123456:ABC-DEF…`".to_owned(),
    })
}

/// One or more of the characters that tokens and secrets are made of.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
