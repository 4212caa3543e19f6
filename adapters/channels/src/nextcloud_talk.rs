//! Nextcloud Talk: a bot that the server calls by web hook.
//!
//! What is proven: the caller knows the secret of `occ talk:bot:install`. It signs each call: HMAC-SHA256 over a random
//! value in a header and the raw body, looked at before anything is parsed. A random value counts once, and only a
//! proven call uses it up; the server never repeats a call, so what comes twice is a copy, also after a restart. It must also name itself as
//! the server that is configured.
//!
//! The sender is a `users/` actor: its uid, which the server authenticated. Guests, e-mail guests and users of other servers
//! are `Mutable`: their ids hold for a session, or another server vouches for them.
//!
//! A call does not say whether its conversation is one-to-one, so the server is asked, as a user of it who takes part in
//! the conversation (`api_user`); without one, nothing is direct. The bot is no participant: in a one-to-one conversation
//! are two people beside it, the sender and `api_user`, and both read the code. What `api_user` writes is our own.
//!
//! The server waits 5 seconds, takes 200 and 202 for success, and does not try again: a proven call is answered with 200,
//! unless it is the copy of one that is under way. Where the server does not say what a conversation is, it is asked a few
//! times before the message is given up; the answer comes late then, which the server writes into its log.

mod cloud;
mod config;
mod event;
mod hook;
mod rooms;
mod send;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloud::Cloud;
pub use config::{Config, Login, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, Webhook, World,
};
use rooms::Rooms;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::api::Trouble;
use crate::life::{End, RETRY, stay_connected};
use crate::memory::Memory;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::status::StatusCell;

/// Nextcloud Talk, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "nextcloud-talk",
    transports: &[Transport::Webhook],
    features: &[Feature::Attachments],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(NextcloudTalk::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// What the operator reads while nobody can be served.
const NOBODY: &str = "Nextcloud does not say which conversations are one-to-one, so everybody is ignored: give \
                      `api_user` and `api_password`, a user who takes part in them";

/// One bot on one Nextcloud server.
pub struct NextcloudTalk {
    meta: ChannelMeta,
    cloud: Cloud,
    secret: Secret,
    /// What the server calls itself.
    backend: String,
    rooms: Rooms,
    /// The uid of `api_user`, once the server has said it: people log in with mail addresses too.
    own_uid: OnceLock<String>,
    memory: Memory,
    status: StatusCell,
    world: World,
    retry: (Duration, Duration),
}

impl NextcloudTalk {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let backend = config.backend.as_deref().unwrap_or(&config.base_url);
        let backend = cloud::canonical(backend).ok_or_else(|| ConfigError::Invalid {
            name: "backend",
            reason: "a URL like `https://cloud.example.org` is expected".to_owned(),
        })?;
        let invalid = |reason| ConfigError::Invalid { name: "base_url", reason };
        Ok(Self {
            meta: setup.meta(32_000, false),
            cloud: Cloud::new(&config, &backend).map_err(invalid)?,
            secret: config.bot_secret,
            backend,
            rooms: Rooms::default(),
            own_uid: OnceLock::new(),
            memory: Memory::new(setup.account.clone(), setup.keeper),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }

    /// Whether the server knows `api_user`; from then on calls are waited for.
    async fn attend(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let uid = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            uid = self.cloud.own_uid() => uid,
        };
        match uid {
            Ok(uid) => drop(self.own_uid.set(uid)),
            Err(error) => {
                let reason = error.to_string();
                return match error.trouble {
                    Trouble::Refused { status: 401 | 403, .. } => {
                        End::Refused(format!("{reason}; check `api_user` and `api_password`"))
                    }
                    Trouble::Refused { retry_after: Some(asked), .. } => End::Slow(reason, asked),
                    _ => End::Lost(reason),
                };
            }
        }
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
        shutdown.cancelled().await;
        End::Stopped
    }
}

#[async_trait]
impl ChannelAdapter for NextcloudTalk {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let receive = async {
            if self.cloud.has_user() {
                let attend = || self.attend(&inbox, &shutdown);
                return stay_connected(&self.world, self.retry, &self.status, &shutdown, attend).await;
            }
            self.status.set(ChannelStatus::NeedsLogin(NOBODY.to_owned()));
            shutdown.cancelled().await;
            Ok(())
        };
        self.memory.keep(receive).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        hook::proof(head).err()
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.take(request).await.unwrap_or_else(Webhook::status)
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(self, route, text).await
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.cloud.fetch(attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
