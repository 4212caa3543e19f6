//! WeChat, by Tencent's iLink bot: a contact in somebody's WeChat that we speak for.
//!
//! Events come by long poll. What is proven: that we asked Tencent's server itself with the token of our login. The
//! sender is `from_user_id`, which WeChat authenticated and which is one person's for one bot. A conversation is
//! one-to-one if a person wrote (`message_type` 1, an id that ends with `@im.wechat`), to this bot, and it names no
//! group.
//!
//! The owner logs in with their telephone (`dmgate channels login openclaw-weixin`), which makes a bot or finds the one
//! that they have; the token is kept where `run` finds it. A token that has expired is not the end: `run` waits for the
//! next login, and tries the old token again after an hour, since Tencent's own program does so.
//!
//! The server's cursor moves when the gate has taken a whole batch, so a crash loses none. What was taken of a batch that
//! a shutdown cut short is kept, and does not count again. An answer needs the `context_token` of a message of its
//! receiver: it is part of the route, since the notice of an approval may be sent after a restart and after any number of
//! strangers; of those who wrote last the newest is kept, and goes before that.
//!
//! The numbers of messages are 64 bits long and never pass through a float.

mod api;
mod attachment;
mod config;
mod decrypt;
mod login;
mod poll;
mod route;
mod send;
mod session;
#[cfg(test)]
mod tests;
mod update;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId,
};
use serde::{Deserialize, Serialize};
use session::Session;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::api::Api;
use crate::dedupe::Dedupe;
use crate::hosts::Hosts;
use crate::kept::{Kept, Latest};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// WeChat, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "openclaw-weixin",
    transports: &[Transport::Poll],
    features: &[Feature::Attachments, Feature::Typing, Feature::Login, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Weixin::open(setup, Config::from_options(options)?)?)),
    login: Some(|login| Box::pin(login::log_in(login))),
};

/// Tencent's hosts: the server may send us from one to another.
const HOSTS: &[&str] = &["*.weixin.qq.com"];

/// Of how many senders the last token is kept. Anybody can push out anybody here.
const SENDERS: usize = 64;

/// How many messages of a batch that was cut short are remembered.
const TAKEN: usize = 1_024;

/// One WeChat bot.
pub struct Weixin {
    meta: ChannelMeta,
    setup: Setup,
    config: Config,
    /// What the last login, or the configuration, gave; `None` while nobody is logged in.
    session: Mutex<Option<Arc<Session>>>,
    kept: Kept<Place>,
    /// The tickets with which typing is shown, by person.
    tickets: Mutex<Latest<String, String, SENDERS>>,
    /// Where files are.
    cdn: Api,
    cdn_hosts: Hosts,
    seen: Dedupe<String>,
    status: StatusCell,
    pace: Pace,
}

/// Where we stand.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The bot whose place it is.
    bot: String,
    /// What the server gave us with the last batch.
    cursor: String,
    /// What was taken of the batch behind that, the last at the end.
    taken: VecDeque<String>,
    /// The last `context_token` of each sender.
    tokens: Latest<String, String, SENDERS>,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// How long the server holds a poll that has nothing to say, until it says otherwise.
    hold: Duration,
    /// How long an answer may take beyond that.
    patience: Duration,
    first_retry: Duration,
    longest_retry: Duration,
    /// How often we look for a new login.
    look: Duration,
    /// After how long an expired token is tried again.
    again: Duration,
}

const PACE: Pace = Pace {
    hold: Duration::from_secs(35),
    patience: Duration::from_secs(15),
    first_retry: Duration::from_secs(2),
    longest_retry: Duration::from_secs(60),
    look: Duration::from_secs(3),
    again: Duration::from_secs(3_600),
};

impl Place {
    /// Notes what was taken of a batch that will come again.
    fn take(&mut self, ids: Vec<String>) {
        for id in ids {
            if !self.taken.contains(&id) {
                self.taken.push_back(id);
            }
        }
        self.taken.drain(..self.taken.len().saturating_sub(TAKEN));
    }
}

impl Weixin {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let invalid = |name: &'static str| move |reason| ConfigError::Invalid { name, reason };
        // Tried here, so that a wrong address is found before anybody logs in.
        Session::anonymous(&setup, &config).map_err(invalid("api_base"))?;
        let cdn = Api::new("WeChat", &config.cdn_base, config.proxy.as_ref(), Vec::new(), PACE.patience);
        let cdn = cdn.map_err(invalid("cdn_base"))?;
        Ok(Self {
            meta: setup.meta(4_000, false),
            session: Mutex::default(),
            kept: Kept::new(setup.account.clone(), Arc::clone(&setup.keeper)),
            tickets: Mutex::default(),
            cdn,
            cdn_hosts: Hosts::new(HOSTS, [config.cdn_base.as_str()]),
            seen: Dedupe::new(4_096),
            status: StatusCell::new(setup.account.clone()),
            setup,
            config,
            pace: PACE,
        })
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl ChannelAdapter for Weixin {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.poll(&inbox, &shutdown).await;
        Ok(())
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        self.send(route, text).await
    }

    /// The server wants the token of a message beside it, which is kept for those who wrote lately.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        self.type_to(route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        attachment::fetch(&self.cdn, &self.cdn_hosts, attachment, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
