//! WhatsApp: a number of a business, by Meta's Cloud API; or an account of a person's, by a [bridge] to WhatsApp Web.
//!
//! **Cloud.** Meta calls our web hook. What is proven: the caller knows the app's secret, with which it signs the raw body (HMAC-SHA256);
//! that is looked at before anything is parsed. Before it calls, Meta asks once with `GET` whether we know the verify
//! token. A signature has no stamp, so a copy is known by the ids of the messages in it, which are remembered over restarts, and
//! by their age: Meta repeats for seven days what was not answered with 200, and what is older than eight is dropped.
//!
//! The sender is the business-scoped id where the message has one: it belongs to the person, and is another after a change
//! of the number. The telephone number in the same message is an alias then, and the only id else. A number can go to
//! somebody else, who has another business-scoped id: so an entry with a number lets in only whom it first let in. User names
//! and profile names are for display.
//!
//! Messages are one-to-one unless they name a group. Free texts may be sent for a day after somebody's last message;
//! a later one is refused with 131047, at once or in a status, and given up.
//!
//! **Web.** `bridges/whatsapp.mjs` beside this crate plays the part of WhatsApp Web; what is proven is its word, which it has from
//! WhatsApp over the account's own encrypted connection. People come under their number, under a LID (an id that hides
//! the number), or under both in one message: the number is the id where it is known, and the other one an alias, so that it
//! does not matter under which of them somebody is on a list.

mod config;
mod graph;
mod hook;
mod send;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use config::{Cloud, Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, Webhook, World,
};
use graph::Graph;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::bridge::{self, Bridge};
use crate::life::{End, RETRY, stay_connected};
use crate::login::{LoggedIn, Login, LoginError};
use crate::memory::Memory;
use crate::options::ConfigError;
use crate::status::StatusCell;

/// WhatsApp, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "whatsapp",
    transports: &[Transport::Webhook, Transport::Child, Transport::Socket],
    features: &[Feature::Attachments, Feature::Typing, Feature::Login],
    options: OPTIONS,
    open: |setup, options| open(setup, Config::from_options(options)?),
    login: Some(|login| Box::pin(log_in(login))),
};

/// The longest text that is sent at once, in characters: the Cloud API takes no longer one.
const TEXT_LIMIT: usize = 4_096;

/// An adapter that is ready to run. Nothing is sent or received yet.
///
/// # Errors
/// [`ConfigError`] says which option won't do, and what would.
pub fn open(setup: Setup, config: Config) -> Result<Arc<dyn ChannelAdapter>, ConfigError> {
    Ok(match config {
        Config::Cloud(cloud) => Arc::new(WhatsApp::open(setup, cloud)?),
        Config::Web(bridge) => Arc::new(Bridge::open(setup, bridge, TEXT_LIMIT)?),
    })
}

/// Has the bridge log in, with the owner's telephone.
async fn log_in(login: Login<'_>) -> Result<LoggedIn, LoginError> {
    match Config::from_options(login.options)? {
        Config::Web(bridge) => bridge::login::log_in(bridge, login).await,
        Config::Cloud(_) => {
            let reason =
                "Meta's Cloud API has no login, but a token in the configuration; `mode = \"web\"` has one";
            Err(LoginError::Failed(reason.to_owned()))
        }
    }
}

/// One WhatsApp number of a business, at Meta's Cloud API.
pub struct WhatsApp {
    meta: ChannelMeta,
    graph: Graph,
    hook: hook::Hook,
    memory: Memory,
    status: StatusCell,
    world: World,
    retry: (Duration, Duration),
}

impl WhatsApp {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Cloud) -> Result<Self, ConfigError> {
        if !update::is_number(&config.phone_number_id) {
            return Err(ConfigError::Invalid {
                name: "phone_number_id",
                reason: "the id of the number is expected, which is a number itself; it is not the telephone number"
                    .to_owned(),
            });
        }
        let invalid = |reason| ConfigError::Invalid { name: "api_base", reason };
        Ok(Self {
            meta: setup.meta(TEXT_LIMIT, false),
            graph: Graph::new(&config).map_err(invalid)?,
            hook: hook::Hook::new(config),
            memory: Memory::new(setup.account.clone(), setup.keeper),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }

    /// Whether Meta takes our token for this number; from then on calls are waited for.
    async fn attend(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let known = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            known = self.graph.number() => known,
        };
        if let Err(error) = known {
            let mend = "check `access_token`, `phone_number_id` and `api_base`";
            return error.end(|status, _, _| matches!(status, 400 | 401 | 403 | 404).then_some(mend));
        }
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
        shutdown.cancelled().await;
        End::Stopped
    }
}

#[async_trait]
impl ChannelAdapter for WhatsApp {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let attend = || self.attend(&inbox, &shutdown);
        self.memory.keep(stay_connected(&self.world, self.retry, &self.status, &shutdown, attend)).await
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        self.hook.refuses(head)
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.take(request).await.unwrap_or_else(Webhook::status)
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.graph, &self.meta.account, route, text).await
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(&self.graph, &self.meta.account, route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.graph.fetch(attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
