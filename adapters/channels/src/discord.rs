//! Discord, over its gateway (a WebSocket) and its REST API, for one bot.
//!
//! What is proven: we open the connection, encrypted, to Discord's own host and log in with the bot's token, so what
//! comes over it comes from Discord. The sender is `author.id`, which Discord authenticated; names are for display. A
//! conversation is one-to-one if the event belongs to no server and its channel is of type 1; where an event does not
//! say the type, Discord is asked for it, once for each channel. A type that is not known is not one-to-one, and neither
//! is a press of a button between two other people, whose channel is of type 1 as well.
//!
//! Every event has a number. The number of an event counts as ours only when the gate has taken the event, and it is
//! kept: a connection that breaks is resumed after that number, also by the next run, and Discord sends again what came
//! in between, as long as it remembers the session (a few minutes). While the gate is busy nothing more is read, so a
//! burst waits on Discord's side; heartbeats go on.
//!
//! We ask for private messages only. A command or a button is a message like any other for the gate, and is not
//! acknowledged to Discord, since nothing that came in is answered before it is decided.

mod api;
mod config;
mod event;
mod gateway;
mod limits;
mod route;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use api::RestApi;
use async_trait::async_trait;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundPicture, OutboundText, Permit, ReplyRoute, SendError, SenderId, World,
};
use route::Route;
use session::Place;
use tokio_util::sync::CancellationToken;

use crate::Secret;
use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::dial::Proxy;
use crate::hosts::Hosts;
use crate::kept::Kept;
use crate::life::{RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Discord, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "discord",
    transports: &[Transport::Socket],
    features: &[Feature::Attachments, Feature::Typing, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Discord::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// Where files of messages lie.
const FILE_HOSTS: &[&str] = &["cdn.discordapp.com", "media.discordapp.net"];

/// Where the gateway is; a session is resumed at a host of its own.
const GATEWAY_HOSTS: &[&str] = &["gateway.discord.gg", "*.discord.gg"];

/// One Discord bot.
pub struct Discord {
    meta: ChannelMeta,
    api: RestApi,
    token: Secret,
    /// The head of the token, which names the bot and is no secret.
    bot: String,
    gateways: Hosts,
    files: Hosts,
    proxy: Option<Proxy>,
    kept: Kept<Place>,
    /// The host where the session should be resumed could not be reached the last time.
    is_lost: AtomicBool,
    seen: Dedupe<u64>,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
    /// The least and the longest wait before a session is begun in the place of one that Discord forgot.
    anew: (Duration, Duration),
    /// The waits before a text of which nobody knows whether it arrived is sent again.
    again: [Duration; 2],
}

const PACE: Pace = Pace {
    retry: RETRY,
    anew: (Duration::from_secs(1), Duration::from_secs(5)),
    again: [Duration::from_secs(1), Duration::from_secs(4)],
};

/// How long an answer of the API may take.
const PATIENCE: Duration = Duration::from_secs(15);

impl Discord {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let bot = config::bot_of(&config.token)?;
        let invalid = |name, reason| ConfigError::Invalid { name, reason };
        let api = RestApi::new(&config.api_base, config.token.clone(), config.proxy.as_ref(), PATIENCE);
        let api = api.map_err(|reason| invalid("api_base", reason))?;
        let proxy = config.proxy.as_ref().map(Proxy::parse).transpose();
        let proxy = proxy.map_err(|reason| invalid("proxy", reason))?;
        // Discord's own API has no files, and no gateway.
        let elsewhere = (config.api_base != config::API_BASE).then_some(config.api_base.as_str());
        Ok(Self {
            // Discord remembers a text's number for a few minutes; a code may be tried for an hour. See `send.rs`.
            meta: setup.meta(2_000, false),
            api,
            token: config.token,
            bot,
            gateways: Hosts::new(GATEWAY_HOSTS, elsewhere),
            files: Hosts::new(FILE_HOSTS, elsewhere),
            proxy,
            kept: Kept::new(setup.account.clone(), setup.keeper),
            is_lost: AtomicBool::new(false),
            seen: Dedupe::new(1_024),
            status: StatusCell::new(setup.account),
            world: setup.world,
            pace: PACE,
        })
    }
}

#[async_trait]
impl ChannelAdapter for Discord {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let connection = || self.live(&inbox, &shutdown);
        stay_connected(&self.world, self.pace.retry, &self.status, &shutdown, connection).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(&self.api, route, text, &self.pace.again).await
    }

    async fn send_picture(&self, route: &ReplyRoute, picture: &OutboundPicture) -> Result<(), SendError> {
        send::picture(&self.api, route, picture).await
    }

    /// A user's private channel with us is opened when it is needed.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Route::to(sender).map(Route::to_reply)
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
        self.api.fetch(&attachment.reference, &self.files, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
