//! A bridge: a program of the operator's that speaks to a platform, and with us.
//!
//! Some platforms have no API that a server may use; people reach them by libraries that play a telephone's part. Such a
//! library stays in a program of its own, in whatever language, which we start, or which listens on a WebSocket. What is
//! said is JSON-RPC 2.0, a line each way: `docs/channels/BRIDGE.md` is the protocol, so that anybody can write one.
//!
//! What is proven: we started the program of the owner's configuration, or it is behind the address in it (over TLS, or
//! on this machine) and may want to see a token. Who sent a message, and whether it was one-to-one, is the bridge's
//! word, and the bridge has the account's login: whoever runs it must be trusted like the platform itself.
//!
//! A program may die, hang, print what it likes, say more than anybody can take: it is ended with everything that it
//! started, and begun again after a while. It sees none of our variables. The conversation outlives `run` for as long as
//! the adapter does: what was let in before a shutdown is still answered.

mod config;
mod link;
pub(crate) mod login;
mod message;
mod route;
mod send;
mod session;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
pub use config::Config;
pub(crate) use config::{COMMAND, TOKEN, URL, program};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, World,
};
pub(crate) use link::{Link, Means, Overflow, Speaker, pulse};
use route::Route;
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::adapter::Setup;
use crate::dedupe::Dedupe;
use crate::kept::Kept;
use crate::life::{RETRY, stay_connected};
use crate::options::ConfigError;
use crate::programs::Programs;
use crate::status::StatusCell;

/// One account on a platform that is reached by a bridge.
pub struct Bridge {
    meta: ChannelMeta,
    means: Means,
    line: Line,
    kept: Kept<Place>,
    seen: Dedupe<message::Key>,
    status: StatusCell,
    world: World,
    programs: Programs,
    /// The first and the longest wait between two conversations.
    retry: (Duration, Duration),
}

/// Where we stand in what the bridge has to say.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    cursor: Option<String>,
}

/// The conversation that texts go to, while there is one.
#[derive(Default)]
pub(crate) struct Line {
    speaker: Mutex<Option<Speaker>>,
    /// Keeps the conversation after `run` has ended.
    last: Mutex<Option<DropGuard>>,
}

impl Bridge {
    /// An adapter that is ready to run; texts have at most `text_limit` UTF-16 units.
    pub(crate) fn open(setup: Setup, config: Config, text_limit: usize) -> Result<Self, ConfigError> {
        Ok(Self {
            meta: setup.meta(text_limit, false),
            means: config.means()?,
            line: Line::default(),
            kept: Kept::new(setup.account.clone(), setup.keeper),
            seen: Dedupe::new(4_096),
            status: StatusCell::new(setup.account),
            world: setup.world,
            programs: setup.programs,
            retry: RETRY,
        })
    }
}

impl Line {
    /// Texts go to this conversation, or to none.
    pub(crate) fn lead_to(&self, speaker: Option<Speaker>) {
        *self.speaker.lock().unwrap_or_else(PoisonError::into_inner) = speaker;
    }

    pub(crate) fn speaker(&self) -> Option<Speaker> {
        self.speaker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a conversation in place of the one that was kept, which ends.
    pub(crate) fn keep(&self, conversation: Option<DropGuard>) {
        let before =
            std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), conversation);
        drop(before);
    }
}

#[async_trait]
impl ChannelAdapter for Bridge {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        // Two programs of one account would be in each other's way.
        self.line.keep(None);
        let converse = || self.converse(&inbox, &shutdown);
        stay_connected(&self.world, self.retry, &self.status, &shutdown, converse).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(self.line.speaker(), route, text).await
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(Route::user(sender).to_reply())
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(self.line.speaker(), route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        send::fetch(self.line.speaker(), &attachment.reference, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
