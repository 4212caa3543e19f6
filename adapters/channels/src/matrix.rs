//! Matrix, over the client-server API of one's own homeserver.
//!
//! Events come by long poll (`/sync`) with our access token, over TLS: what is proven is that our homeserver says so, and
//! it vouches for the sender of each event, whose own homeserver signed it. The sender is the whole user id
//! (`@name:server`), compared byte by byte: ids that differ in case are different people. Names are for display.
//!
//! A room is one-to-one if all three hold: our account data (`m.direct`) says that it is a direct chat with the sender, we
//! have joined it, and nobody but the sender and us is, was or is invited to be a member. "Direct" in an invite is a mere
//! claim of the inviter, so it only decides whether we go and look. Who is in the room is asked again before each text; see
//! `matrix/send.rs` for what remains open.
//!
//! We join what we are invited to as to a direct chat, one room after another and not too fast, and leave it at once if it
//! is none. A room that is encrypted is not joined and nothing is sent there: we can't read it. The operator is told.
//!
//! Our place in the stream moves when the gate has taken everything before it, so a crash loses nothing; what was taken
//! since the last move may come again. The first sync of all skips what was said before.

mod api;
mod config;
mod event;
mod invite;
mod place;
mod room;
mod route;
mod send;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use api::ClientApi;
use async_trait::async_trait;
pub use config::{AutoJoin, Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, World,
};
use place::Place;
use room::Rooms;
use route::Route;
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::kept::Kept;
use crate::life::{RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Matrix, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "matrix",
    transports: &[Transport::Poll],
    features: &[Feature::Attachments, Feature::Typing, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Matrix::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// The longest text, in UTF-16 units. An event has at most 65,536 bytes, and the homeserver's own part in it; no unit
/// becomes more than six bytes in JSON.
const TEXT_LIMIT: usize = 10_000;

/// One Matrix account.
pub struct Matrix {
    meta: ChannelMeta,
    api: ClientApi,
    /// Our user id, once the homeserver said it.
    own: OnceCell<String>,
    auto_join: AutoJoin,
    place: Kept<Place>,
    rooms: Rooms,
    /// There are new invites to be looked at.
    invited: Notify,
    /// How many polls failed, one after another; with the one that is under way.
    failed: AtomicU32,
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// How long the homeserver holds a poll that has nothing to say.
    poll: Duration,
    /// How long an answer may take beyond that.
    patience: Duration,
    /// The least time between two rooms that we join.
    join: Duration,
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
}

const PACE: Pace = Pace {
    poll: Duration::from_secs(30),
    patience: Duration::from_secs(30),
    join: Duration::from_secs(2),
    retry: RETRY,
};

impl Matrix {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::Invalid { name: "homeserver", reason };
        let proxy = config.proxy.as_ref();
        let api = ClientApi::new(&config.homeserver, config.access_token, proxy, PACE.patience);
        let api = api.map_err(invalid)?;
        Ok(Self {
            meta: setup.meta(TEXT_LIMIT, true),
            api,
            own: OnceCell::new(),
            auto_join: config.auto_join,
            place: Kept::new(setup.account.clone(), setup.keeper),
            rooms: Rooms::default(),
            invited: Notify::new(),
            failed: AtomicU32::new(0),
            seen: Dedupe::new(10_000),
            status: StatusCell::new(setup.account),
            world: setup.world,
            pace: PACE,
        })
    }
}

#[async_trait]
impl ChannelAdapter for Matrix {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let connection = || self.connect(&inbox, &shutdown);
        stay_connected(&self.world, self.pace.retry, &self.status, &shutdown, connection).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        self.send(route, text).await
    }

    /// The direct chat with a sender, if we know one.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        let room = self.rooms.direct_with(sender.as_str())?;
        Route::new(&room, sender.as_str()).map(|route| route.to_reply())
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        self.typing(route).await;
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
