//! What a chat platform's adapter is: it verifies and parses, and never decides.

mod known;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use known::Known;
use tokio::io::AsyncWrite;
use tokio_util::sync::CancellationToken;

use crate::decision::Permit;
use crate::message::{AccountKey, Attachment, InboundMessage, ReplyRoute, SenderId};
use crate::pipeline::Inbox;

/// One account on one chat platform.
///
/// An adapter proves where an event came from, parses it, and sends texts. It holds no policy: everything that came in
/// goes to the gate, and nothing that came in is answered by the adapter itself.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ChannelAdapter: Send + Sync + 'static {
    /// What the adapter is.
    fn meta(&self) -> &ChannelMeta;

    /// Receives until `shutdown` is cancelled: a long poll, a socket, a child process. It reconnects by itself and
    /// returns early only on trouble that trying again can't mend (a refused token). An adapter that only takes web
    /// hooks waits for `shutdown`.
    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError>;

    /// The status for a web hook request that its head condemns, whatever the body: so it need not be read, and nobody
    /// takes the room of those whose body is read. It proves nothing; [`ChannelAdapter::webhook`] looks at everything. An
    /// adapter with web hooks has to say here what it reads at all.
    fn refuses(&self, _head: &http::request::Parts) -> Option<http::StatusCode> {
        Some(http::StatusCode::NOT_FOUND)
    }

    /// Answers one web hook request and returns the events in it. Authenticity is proven first, on the raw body. An
    /// adapter without web hooks answers 404. An event counts as taken when [`Webhook::taken`] is called, and not before:
    /// until then a repeat of it must not be confirmed.
    async fn webhook(&self, _request: http::Request<Bytes>) -> Webhook {
        Webhook::status(http::StatusCode::NOT_FOUND)
    }

    /// Sends one text. `text.body` is at most [`ChannelMeta::text_limit`] long.
    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError>;

    /// Sends one picture with a caption, where the platform can; the caption is at most 1,000 UTF-16 units long.
    async fn send_picture(&self, _route: &ReplyRoute, _picture: &OutboundPicture) -> Result<(), SendError> {
        Err(SendError::Impossible { reason: "this channel sends no pictures".to_owned() })
    }

    /// The way to a sender of whom only the id is known, where the platform can address one by it.
    fn route_to(&self, _sender: &SenderId) -> Option<ReplyRoute> {
        None
    }

    /// Shows that an answer is being worked on, where the platform can; trouble is not worth reporting.
    async fn show_typing(&self, _route: &ReplyRoute) {}

    /// Fetches what came with an admitted message, at most `limit` bytes, and writes it piece by piece to `file`; how
    /// many bytes it was. After an error what was written is worth nothing.
    async fn fetch(
        &self,
        _permit: &Permit,
        _attachment: &Attachment,
        _limit: u64,
        _file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        Err(FetchError::Unsupported)
    }

    /// How the connection is doing, for the operator.
    fn status(&self) -> ChannelStatus;
}

/// What an adapter is, fixed for its life.
#[derive(Clone, Debug)]
pub struct ChannelMeta {
    /// The account that it serves.
    pub account: AccountKey,
    /// What follows "Your …" in the pairing message: `Telegram user id`.
    pub id_line: String,
    /// The longest text of one message, in UTF-16 units; longer answers are split.
    pub text_limit: usize,
    /// Whether the platform drops a second text with the same idempotency key.
    pub idempotent_sends: bool,
}

/// How a channel's connection is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChannelStatus {
    /// Not connected yet, or again; with why, if something failed.
    Connecting(Option<String>),
    /// Receiving.
    Ready,
    /// The owner has to log in again.
    NeedsLogin(String),
    /// The platform refuses us, and trying again won't help.
    Refused(String),
}

/// The answer to a web hook, and the events that were in it.
///
/// One that is dropped before it is [taken](Webhook::taken) was lost on its way, by a panic for instance: what was to be
/// done then is dropped too, and what it held (the mark of an event that is under way) can tell by that.
pub struct Webhook {
    /// What the platform gets.
    pub response: http::Response<Bytes>,
    /// What goes to the gate before the response is sent. A platform whose deadline is short gets its response when
    /// these are queued, not when they are worked off.
    pub messages: Vec<InboundMessage>,
    once_taken: Vec<Box<dyn FnOnce() + Send>>,
}

impl Webhook {
    /// A bare status and no events.
    #[must_use]
    pub fn status(status: http::StatusCode) -> Self {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = status;
        Self { response, messages: Vec::new(), once_taken: Vec::new() }
    }

    /// Adds an event, and what is to be done once all events are taken.
    pub fn add(&mut self, message: InboundMessage, once_taken: impl FnOnce() + Send + 'static) {
        self.messages.push(message);
        self.once_taken.push(Box::new(once_taken));
    }

    /// Says that the gate has all events, decided and queued.
    #[must_use = "the platform waits for the response"]
    pub fn taken(mut self) -> Self {
        for note in self.once_taken.drain(..) {
            note();
        }
        self
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (response, messages) = (&self.response, &self.messages);
        f.debug_struct("Webhook").field("response", response).field("messages", messages).finish()
    }
}

/// A text to be sent.
#[derive(Clone)]
pub struct OutboundText {
    /// The text itself, plain.
    pub body: String,
    /// What it is.
    pub kind: TextKind,
    /// The same for every try of the same text, so that a platform that can drops the second.
    pub idempotency_key: String,
}

/// What a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextKind {
    /// The pairing code. It is tried again until one try succeeded.
    Challenge,
    /// "You are in."
    Notice,
    /// An answer of the agent.
    Reply,
}

/// A body may hold a code: it is not shown.
// INVARIANT I12: codes never appear in `Debug`.
impl fmt::Debug for OutboundText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundText").field("kind", &self.kind).field("bytes", &self.body.len()).finish()
    }
}

/// A picture to be sent.
#[derive(Clone)]
pub struct OutboundPicture {
    /// The picture, as a PNG file.
    pub png: Bytes,
    /// What is written below it, plain.
    pub caption: String,
    /// The same for every try of the same picture, so that a platform that can drops the second.
    pub idempotency_key: String,
}

/// A picture may show a code.
// INVARIANT I12: codes never appear in `Debug`.
impl fmt::Debug for OutboundPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundPicture").field("bytes", &self.png.len()).finish_non_exhaustive()
    }
}

/// Why a text was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It definitely did not arrive; trying again may help, not before `retry_after` if given.
    #[error("not sent: {reason}")]
    Failed {
        /// What happened, without secrets.
        reason: String,
        /// What the platform asks to wait.
        retry_after: Option<Duration>,
    },
    /// It left, and whether it arrived is not known (the connection broke before the answer).
    #[error("it is not known whether the text arrived: {reason}")]
    Unknown {
        /// What happened, without secrets.
        reason: String,
    },
    /// It definitely did not arrive and never will (the user blocked the bot).
    #[error("can't be sent: {reason}")]
    Impossible {
        /// What happened, without secrets.
        reason: String,
    },
}

/// Why a channel stopped.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ChannelError(
    /// What happened and what the owner can do, without secrets.
    pub String,
);

/// Where an attachment is written to: a file, a `Vec<u8>`.
pub type AttachmentFile = dyn AsyncWrite + Send + Unpin;

/// Why an attachment could not be fetched.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The adapter can't fetch.
    #[error("this channel hands on no attachments")]
    Unsupported,
    /// It has more bytes than asked for.
    #[error("the attachment is larger than {0} bytes")]
    TooLarge(u64),
    /// The platform did not give it.
    #[error("the attachment could not be fetched: {0}")]
    Failed(String),
}
