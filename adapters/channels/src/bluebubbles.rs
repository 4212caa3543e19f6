//! iMessage, by a BlueBubbles server on a Mac.
//!
//! The server calls our web hook, which we register with its REST API. It signs nothing and sends no headers, so what is
//! proven is that the caller knows the secret in the address that we gave it (a proxy before us may move it into a header),
//! compared before the body is looked at. The password of the server's own API is in every address there.
//!
//! The sender is the handle of a message: a telephone number or a mail address. Apple authenticates it for iMessage; a sender
//! of SMS can be made up, so that is `Mutable` unless the owner chose it. A conversation is one-to-one if all chats of the
//! message say so: `-` in the middle of their ids, and no style of a group. Where the call holds neither handle nor chats, the
//! server is asked for the message.
//!
//! The server does not try again, and tells of some messages twice.

mod config;
mod event;
mod hook;
mod rest;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Config, Method, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use rest::Rest;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::life::{End, RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// BlueBubbles, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "bluebubbles",
    transports: &[Transport::Webhook],
    features: &[Feature::Attachments, Feature::Typing],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(BlueBubbles::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One BlueBubbles server.
pub struct BlueBubbles {
    meta: ChannelMeta,
    rest: Rest,
    hook: hook::Hook,
    method: Method,
    /// Whether senders of SMS count.
    sms: bool,
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    retry: (Duration, Duration),
}

impl BlueBubbles {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::Invalid { name: "server_url", reason };
        let rest = Rest::new(&config).map_err(invalid)?;
        let hook = hook::Hook::new(&setup, config.webhook_secret)?;
        Ok(Self {
            meta: setup.meta(4_000, false),
            rest,
            hook,
            method: config.method,
            sms: config.sms,
            seen: Dedupe::new(4_096),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }

    /// Tells the server where to call us; from then on calls are waited for. The web hook stays.
    async fn attend(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let registered = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            registered = self.rest.register(&self.hook) => registered,
        };
        if let Err(error) = registered {
            let mend = "check `password`, which the server's app shows";
            return error.end(|status, _, _| matches!(status, 401 | 403).then_some(mend));
        }
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
        shutdown.cancelled().await;
        End::Stopped
    }
}

#[async_trait]
impl ChannelAdapter for BlueBubbles {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let attend = || self.attend(&inbox, &shutdown);
        stay_connected(&self.world, self.retry, &self.status, &shutdown, attend).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        self.hook.proven(head).err()
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.take(request).await.unwrap_or_else(Webhook::status)
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(self, route, text).await
    }

    /// The chat with somebody who wrote is called after its handle.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(format!("iMessage;-;{sender}")))
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(self, route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.rest.fetch(attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
