//! Zalo, over the API of its Bot Platform (not that of official accounts, which is another product).
//!
//! Events come by long poll, which needs no web server, or by web hook. What is proven: with the long poll, that we asked
//! Zalo itself with our token; with the web hook, that the caller knows the secret that we gave Zalo with `setWebhook`,
//! compared before the body is parsed. The sender is `from.id`, which Zalo authenticated and which is this bot's own
//! name for that person; names are for display. A conversation is one-to-one if Zalo says that its chat is `PRIVATE`.
//!
//! **With the long poll a message comes at most once.** `getUpdates` gives one update and forgets it, without a way to
//! confirm: what was on its way when the connection broke, or in our hands when the program was killed, is lost. Nothing
//! is asked for before the gate has taken what came, so it is one message at most. The web hook has no such hole.

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
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError,
    InboundMessage, Inbox, OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use http::StatusCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::life::RETRY;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::status::StatusCell;

/// Zalo, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "zalo",
    transports: &[Transport::Poll, Transport::Webhook],
    features: &[Feature::Attachments, Feature::Typing],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Zalo::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One Zalo bot.
pub struct Zalo {
    meta: ChannelMeta,
    api: BotApi,
    /// The bot's own id, which is the head of its token.
    own_id: String,
    hook: Option<hook::Hook>,
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// How long Zalo holds a poll that has nothing to say.
    poll: Duration,
    /// The first and the longest wait before it is asked again after trouble.
    retry: (Duration, Duration),
}

const PACE: Pace = Pace { poll: Duration::from_secs(30), retry: RETRY };

/// How long an answer may take, beyond what a poll is held.
const PATIENCE: Duration = Duration::from_secs(15);

impl Zalo {
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
        let api = BotApi::new(&config.api_base, config.token, proxy, PATIENCE).map_err(invalid)?;
        Ok(Self {
            meta: setup.meta(2_000, false),
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
    fn parse(&self, update: &Value) -> Option<InboundMessage> {
        let account = &self.meta.account;
        let tell = |reason: &&str| tracing::debug!(%account, "an update is dropped: {reason}");
        update::parse(account, &self.own_id, update).inspect_err(tell).ok()
    }
}

#[async_trait]
impl ChannelAdapter for Zalo {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        match &self.hook {
            None => self.poll(&inbox, &shutdown).await,
            Some(hook) => self.register(hook, &inbox, &shutdown).await,
        }
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<StatusCode> {
        self.hook.as_ref().map_or(Some(StatusCode::NOT_FOUND), |hook| hook.refuses(head))
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        match &self.hook {
            None => Webhook::status(StatusCode::NOT_FOUND),
            Some(hook) => self.take(hook, request).unwrap_or_else(Webhook::status),
        }
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.api, route, text).await
    }

    /// A private chat has the id of its user.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        is_id(sender.as_str()).then(|| ReplyRoute::new(sender.as_str()))
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

/// The bot's id. A token in any other form would end up in a URL that means something else.
fn own_id(token: &Secret) -> Result<String, ConfigError> {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let parts = token.reveal().split_once(':').filter(|(_, secret)| is_word(secret));
    let id = parts.map(|(id, _)| id).filter(|id| is_id(id) && id.bytes().all(|byte| byte.is_ascii_digit()));
    id.map(str::to_owned).ok_or_else(|| ConfigError::Invalid {
        name: "token",
        reason: "this is no bot token; Zalo Bot Creator gives one that looks like `123456789:abcDEF…`"
            .to_owned(),
    })
}

/// What a message is known by when it comes again: what can't be read at first may come again under the same id.
fn mark(message: &InboundMessage) -> Option<String> {
    message.message_id.clone().filter(|_| message.event.acts())
}

/// Whether this can be the id of a user, a chat or a message.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
