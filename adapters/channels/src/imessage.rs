//! iMessage, by the program `imsg` on a Mac: here, or over `ssh`.
//!
//! Apple has no API. `imsg rpc` reads the database of the Messages app on a Mac where somebody is logged in, and has that
//! app send. We speak JSON-RPC with it, a line each way, by its standard input and output.
//!
//! What is proven: we started the program ourselves, and it reads what Messages wrote. iMessage's own senders are
//! authenticated by Apple; **senders of SMS are not**, since anybody can send one under any number, so they count only
//! where the owner says `sms = true`. Which it is stands at the head of the chat's `guid` (`iMessage;-;+49…`); where
//! Messages does not say it there (`any;-;+49…`, macOS 26), it is as with SMS. The sender is the handle, a telephone
//! number or an e-mail address; one person with two handles is two senders. A conversation is one-to-one if the chat's
//! `guid` has `;-;`, it is said to be no group, and it has one participant.
//!
//! Every message has a number in the database, and the number of the last one that the gate has taken is kept: after a
//! restart, or when more comes than can be worked off, `imsg` is asked for what came after it. A Mac that was off for long
//! gets everything that was sent meanwhile, and Apple may deliver a heap of old messages again: those that are older by
//! an hour than what was taken before make nobody act.

mod attachment;
mod config;
mod message;
mod route;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
pub use config::{Config, OPTIONS};
use dmgate::{
    Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Inbox,
    OutboundText, Permit, ReplyRoute, SendError, SenderId, World,
};
use route::Route;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::bridge::{Line, Means};
use crate::dedupe::Dedupe;
use crate::kept::Kept;
use crate::life::{RETRY, stay_connected};
use crate::options::ConfigError;
use crate::programs::Programs;
use crate::status::StatusCell;

/// iMessage, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "imessage",
    transports: &[Transport::Child],
    features: &[Feature::Attachments, Feature::Typing, Feature::Resume],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Imessage::open(setup, Config::from_options(options)?)?)),
    login: None,
};

/// One Mac's Messages.
pub struct Imessage {
    meta: ChannelMeta,
    means: Means,
    takes_sms: bool,
    attachments: Option<PathBuf>,
    line: Line,
    kept: Kept<Place>,
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    programs: Programs,
    /// The first and the longest wait between two conversations.
    retry: (Duration, Duration),
}

/// Where we stand in the Mac's database.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The largest number that was taken.
    rowid: i64,
    /// When the newest message was sent, in milliseconds.
    newest: i64,
}

impl Imessage {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            meta: setup.meta(4_000, false),
            means: Means::Program(config.words()?),
            takes_sms: config.sms,
            attachments: config.attachments,
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

#[async_trait]
impl ChannelAdapter for Imessage {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.line.keep(None);
        let converse = || self.converse(&inbox, &shutdown);
        stay_connected(&self.world, self.retry, &self.status, &shutdown, converse).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        send::text(self.line.speaker(), self.meta.account.channel(), self.takes_sms, route, &text.body).await
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(Route::handle(sender).to_reply())
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        send::typing(self.line.speaker(), self.meta.account.channel(), route).await;
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        let folder = self.attachments.as_deref().ok_or(FetchError::Unsupported)?;
        attachment::read(folder, &attachment.reference, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
