//! Feishu, and Lark, which is the same outside of China: a bot of a self-built app.
//!
//! Events come over a connection that we open (the "long connection"), which needs no web server, or by web hook. What is
//! proven: with the connection, that we asked Feishu itself for it with our app's secret; with the web hook, that the
//! caller knows the app's encrypt key, by a signature over stamp, nonce and raw body, or its verification token, which
//! stands in the body. One of the two must be configured, and every one that is must be right. Whoever asks whether the
//! address is ours (`url_verification`) signs nothing, and proves the key by having encrypted with it.
//!
//! The sender is `open_id`, which is one person's for one app; `union_id` comes with it and is one person's for all apps of
//! a developer. `user_id` can be given to somebody else by an administrator, and never matches. A conversation is
//! one-to-one if the event says `p2p` and that a user wrote it.
//!
//! Feishu wants an answer within three seconds, and sends again what has none, after 15 seconds, five minutes, an hour and
//! six hours. An event is acknowledged when the gate has taken it. What came is remembered over restarts by the id of its
//! message, as Feishu advises; a crash may lose the last second or two of that memory.

mod api;
mod config;
mod encryption;
mod event;
mod frame;
mod hook;
mod parts;
mod post;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::FeishuApi;
use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, Domain, Mode, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError,
    InboundMessage, Inbox, OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use hook::Hook;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Again;
use crate::dial::Proxy;
use crate::hosts::Hosts;
use crate::life::RETRY;
use crate::memory::{Memory, Remembered};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Feishu, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "feishu",
    transports: &[Transport::Socket, Transport::Webhook],
    features: &[Feature::Attachments, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Feishu::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// Where Feishu's connections lead.
const HOSTS: &[&str] = &["*.feishu.cn", "*.larksuite.com", "*.larkoffice.com"];

/// One app of Feishu's or Lark's.
pub struct Feishu {
    meta: ChannelMeta,
    api: FeishuApi,
    /// Our own `open_id`, once Feishu has told.
    own_id: OnceLock<String>,
    hook: Option<Hook>,
    hosts: Hosts,
    proxy: Option<Proxy>,
    memory: Memory,
    status: StatusCell,
    world: World,
    retry: (Duration, Duration),
}

impl Feishu {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let invalid = |name: &'static str| move |reason| ConfigError::Invalid { name, reason };
        let hook = (config.mode == Mode::Webhook).then(|| Hook::new(&config));
        let proxy = config.proxy.as_ref().map(Proxy::parse).transpose().map_err(invalid("proxy"))?;
        let hosts = Hosts::new(HOSTS, [config.base()]);
        let api = FeishuApi::new(config, setup.world.clone()).map_err(invalid("api_base"))?;
        Ok(Self {
            meta: setup.meta(10_000, true),
            api,
            own_id: OnceLock::new(),
            hook,
            hosts,
            proxy,
            memory: Memory::new(setup.account.clone(), setup.keeper),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }

    /// What an event says, if it says anything that someone sent and that did not come before.
    async fn read(&self, event: &Value) -> Result<Option<(InboundMessage, Remembered)>, Again> {
        let account = &self.meta.account;
        let Some(id) = event::id(event) else { return Ok(None) };
        let Some(claim) = self.memory.claim([id.to_owned()]).await? else { return Ok(None) };
        let own_id = self.own_id.get().map(String::as_str);
        let message = event::parse(account, self.api.app_id(), own_id, event)
            .inspect_err(|reason| tracing::debug!(%account, "an event is dropped: {reason}"));
        Ok(message.ok().map(|message| (message, claim)))
    }

    fn ready(&self, inbox: &Inbox) {
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
    }
}

#[async_trait]
impl ChannelAdapter for Feishu {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let receive = async {
            match &self.hook {
                None => self.connect(&inbox, &shutdown).await,
                Some(_) => self.attend(&inbox, &shutdown).await,
            }
        };
        self.memory.keep(receive).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        self.hook.as_ref().map_or(Some(http::StatusCode::NOT_FOUND), |hook| hook.refuses(head))
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        match &self.hook {
            None => Webhook::status(http::StatusCode::NOT_FOUND),
            Some(hook) => self.take(hook, request).await.unwrap_or_else(Webhook::status),
        }
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.api, &self.meta.account, route, text).await
    }

    /// A person can be addressed by the id that they have for the app.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        event::is_person(sender.as_str()).then(|| ReplyRoute::new(sender.as_str()))
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
