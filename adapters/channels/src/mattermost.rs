//! Mattermost, over a WebSocket and its API.
//!
//! What is proven: that we asked the owner's server itself, with our bot's token. The sender is the post's `user_id`, which
//! the server authenticated; user names change hands and are for display. A conversation is one-to-one if its channel is of
//! the type `D` and its name, which is made of the ids of the two, has the sender's and ours; `G` is a group. What a post
//! says of itself (`props`) makes its sender a bot where a web hook, a plugin or a program wrote it.
//!
//! The server numbers what it sends over one connection. Where a number is missing, and after every new connection, the
//! posts since the last one that the gate has taken are asked for. Where that is, is kept over restarts with the ids of the
//! last posts, so that a restart neither loses nor repeats. Posts are put into a queue while the gate takes them one after
//! another; while it is full the socket is not read, and a server that gives up then is asked for the rest.

mod api;
mod config;
mod history;
mod post;
mod route;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::MattermostApi;
use async_trait::async_trait;
use config::Settings;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, World,
};
use history::Place;
use route::Route;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::dial::Proxy;
use crate::kept::Kept;
use crate::life::RETRY;
use crate::options::ConfigError;
use crate::socket::SocketAddress;
use crate::status::StatusCell;

/// Mattermost, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "mattermost",
    transports: &[Transport::Socket],
    features: &[Feature::Attachments, Feature::Typing, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Mattermost::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// How many posts are remembered in one run.
const REMEMBERED: usize = 4_096;

/// One bot on one Mattermost server.
pub struct Mattermost {
    meta: ChannelMeta,
    api: MattermostApi,
    socket: SocketAddress,
    proxy: Option<Proxy>,
    /// Our own user id, once the server has told.
    own_id: OnceLock<String>,
    place: Kept<Place>,
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
}

impl Mattermost {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let Settings { api, socket, proxy } = Settings::check(config)?;
        Ok(Self {
            // The server drops a second one for half a minute, which is too short to count on.
            meta: setup.meta(16_383, false),
            api,
            socket,
            proxy,
            own_id: OnceLock::new(),
            place: Kept::new(setup.account.clone(), setup.keeper),
            seen: Dedupe::new(REMEMBERED),
            status: StatusCell::new(setup.account),
            world: setup.world,
            retry: RETRY,
        })
    }
}

#[async_trait]
impl ChannelAdapter for Mattermost {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.connect(&inbox, &shutdown).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        self.send(route, text).await
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Route::to(sender).map(|route| route.to_reply())
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        self.type_at(route).await;
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
