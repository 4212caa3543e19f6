//! Slack, by Socket Mode or the Events API.
//!
//! Events come over WebSockets that we open (Socket Mode), which needs no web server, or by web hook. What is proven: with
//! Socket Mode, that we asked Slack itself for the socket with our app's token; with the web hook, that the caller knows
//! the app's signing secret, by the signature over stamp and raw body, which is looked at before anything is parsed.
//!
//! The sender is the event's `user`. User ids are unique within one workspace, or one organisation of several, and no
//! further: whoever is at home elsewhere (Slack Connect) has their team before the id, and so has everyone in an event of
//! another workspace that the same app is installed in. Names are for display.
//!
//! A conversation is one-to-one if the event says that its channel is an `im` and that it reaches us as our bot: an app
//! that a person gave a token to also sees that person's own direct messages, which are called `im` too. Where the event
//! does not say it (commands, buttons) Slack is asked about the channel with the bot's token. Where it has no answer, the
//! event is not acknowledged, and comes again.
//!
//! An event is acknowledged after the gate has taken it. Slack wants that within three seconds and sends it again after
//! that, up to three times, over whichever socket: what comes again is dropped, and acknowledged in its turn, after the
//! first has been taken. What is received and not yet taken is in the queue of one run, and nowhere acknowledged. A shutdown
//! takes and acknowledges that queue before the socket is closed.

mod api;
mod config;
mod event;
mod hook;
mod identity;
mod interaction;
mod mrkdwn;
mod route;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use api::SlackApi;
use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, Mode, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, Conversation,
    FetchError, InboundMessage, Inbox, Origin, OutboundText, Permit, ReplyRoute, SendError, SenderId,
    Webhook, World,
};
use event::{Said, Way};
use hook::Hook;
use identity::Identity;
use route::Route;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::{Again, Claim, Dedupe};
use crate::dial::Proxy;
use crate::hosts::Hosts;
use crate::kept::Latest;
use crate::life::{End, RETRY};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Slack, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "slack",
    transports: &[Transport::Socket, Transport::Webhook],
    features: &[Feature::Attachments, Feature::Typing],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Slack::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// Slack's own hosts: where sockets and files are. Calls go to `api_base` alone.
const HOSTS: &[&str] = &["*.slack.com"];

/// How many marks of what came are remembered, two for each message: more than come in within the five minutes in which
/// Slack repeats something.
const REMEMBERED: usize = 8_192;

/// One Slack app in one workspace, or in one organisation.
pub struct Slack {
    meta: ChannelMeta,
    api: SlackApi,
    /// Who we are, once Slack has told.
    identity: OnceLock<Identity>,
    hook: Option<Hook>,
    hosts: Hosts,
    proxy: Option<Proxy>,
    seen: Dedupe<String>,
    /// Whose the direct conversations are that Slack was asked about.
    people: Mutex<Latest<String, String, 1_024>>,
    status: StatusCell,
    world: World,
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
}

impl Slack {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let invalid = |name| move |reason| ConfigError::Invalid { name, reason };
        let proxy = config.proxy.as_ref();
        let socket_proxy = proxy.map(Proxy::parse).transpose().map_err(invalid("proxy"))?;
        let api = SlackApi::new(&config.api_base, config.bot_token, config.app_token, proxy);
        Ok(Self {
            // Slack cuts longer ones in pieces of its own, and cuts off what is beyond 40,000 characters: `&` makes five.
            meta: setup.meta(4_000, false),
            api: api.map_err(invalid("api_base"))?,
            identity: OnceLock::new(),
            hook: config.signing_secret.filter(|_| config.mode == Mode::Webhook).map(Hook::new),
            hosts: Hosts::new(HOSTS, [config.api_base.as_str()]),
            proxy: socket_proxy,
            seen: Dedupe::new(REMEMBERED),
            people: Mutex::default(),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }

    /// What goes to the gate of something that was read, and what it is known by when it comes again; `None` for what
    /// can't be read and what came before.
    async fn settle(
        &self,
        said: Result<Said, &'static str>,
    ) -> Result<Option<(InboundMessage, Claim<String>)>, Again> {
        let account = &self.meta.account;
        let tell = |reason: &&str| tracing::debug!(%account, "an event is dropped: {reason}");
        let Ok(Said { mut message, way, marks }) = said.inspect_err(tell) else { return Ok(None) };
        let Some(claim) = self.seen.claim(marks)? else { return Ok(None) };
        let Some(way) = way else { return Ok(Some((message, claim))) };
        // INVARIANT I16: where the event does not prove it, only Slack's own word makes a conversation one-to-one.
        if message.conversation == Conversation::Unknown
            && message.event.acts()
            && message.origin == Origin::Person
            && self.is_between_us(&way).await?
        {
            message.conversation = Conversation::Direct;
        }
        if message.conversation == Conversation::Direct {
            message.route = way.route.to_reply();
        }
        Ok(Some((message, claim)))
    }

    /// Whether a conversation is between this person and our bot. Whose a direct conversation is never changes.
    async fn is_between_us(&self, way: &Way) -> Result<bool, Again> {
        let known = self.people.lock().unwrap_or_else(PoisonError::into_inner).get(&way.route.to).cloned();
        let user = match known {
            Some(user) => Some(user),
            None => self.api.user_of(&way.route.to).await.map_err(|error| {
                let account = &self.meta.account;
                tracing::warn!(%account, "whether a message is direct is not known, it has to come again: {error}");
                Again
            })?,
        };
        let Some(user) = user else { return Ok(false) };
        let is_theirs = user == way.user;
        self.people.lock().unwrap_or_else(PoisonError::into_inner).put(way.route.to.clone(), user);
        Ok(is_theirs)
    }

    /// Asks Slack who we are; the error is how a connection ends without it.
    async fn recognise(&self, shutdown: &CancellationToken) -> Result<&Identity, End> {
        let identity = tokio::select! {
            () = shutdown.cancelled() => return Err(End::Stopped),
            identity = self.api.identity() => identity.map_err(|error| api::end(&error, "bot_token"))?,
        };
        // A token's bot is the same for ever.
        Ok(self.identity.get_or_init(|| identity))
    }

    fn ready(&self, inbox: &Inbox) {
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
    }
}

#[async_trait]
impl ChannelAdapter for Slack {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        match &self.hook {
            None => self.connect(&inbox, &shutdown).await,
            Some(_) => self.attend(&inbox, &shutdown).await,
        }
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        let now = self.world.clock.now();
        self.hook.as_ref().map_or(Some(http::StatusCode::NOT_FOUND), |hook| hook.refuses(head, now))
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        match &self.hook {
            None => Webhook::status(http::StatusCode::NOT_FOUND),
            Some(hook) => self.take(hook, request).await,
        }
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.api, route, text).await
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Route::to(sender).map(|route| route.to_reply())
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
        self.api.fetch(attachment, &self.hosts, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
