//! The built-in web chat: who its visitors are and what they are sent.
//!
//! It knows nothing of HTTP: `dmgate-gateway` serves the page, keeps the cookie, and says here what came in.
//!
//! A visitor is the hash of a random value in a cookie, which the page asks for when the first message is sent. A text
//! counts as sent when a page said that it has it; until then it is kept and given to every page that opens, so that
//! neither a reload nor a telephone that slept loses an answer. Codes and notices need an open page: without one the
//! sending has failed, and is tried again as soon as the visitor is back.

mod awaited;
mod mailbox;
mod seen;
mod session;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use awaited::Awaited;
use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelId, ChannelMeta, ChannelStatus, IdError, InboundMessage,
    Inbox, NoEntropy, OutboundText, ReplyRoute, SendError, Sender, SenderId, Source, TextKind, World,
};
pub use mailbox::{Event, Text};
use mailbox::{Mailboxes, Opened};
use seen::Seen;
pub use session::Session;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest text, to a visitor and from one.
pub const TEXT_LIMIT: usize = 4_000;

/// How long a page has to say that it has a code or a notice.
const CONFIRM_WITHIN: Duration = Duration::from_secs(15);

/// When a code or notice for a closed page is tried again, if the visitor is not back before.
const NEXT_TRY: Duration = Duration::from_secs(120);

/// The web chat of one account.
pub struct WebChat {
    meta: ChannelMeta,
    world: World,
    mailboxes: Mutex<Mailboxes>,
    seen: Seen,
    awaited: Mutex<Awaited>,
    /// Messages on their way to the gate: the channel has ended when they are there.
    receiving: TaskTracker,
    closing: CancellationToken,
}

/// The channel has ended and takes no messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the web chat is ending and takes no messages")]
pub struct Closing;

impl WebChat {
    /// The web chat of this account.
    #[must_use]
    pub fn new(account: AccountKey, world: World) -> Arc<Self> {
        let meta = ChannelMeta {
            account,
            id_line: "web chat id".into(),
            text_limit: TEXT_LIMIT,
            // A page that has a text already does not show it again.
            idempotent_sends: true,
        };
        let (mailboxes, seen, awaited, receiving, closing) = Default::default();
        Arc::new(Self { meta, world, mailboxes, seen, awaited, receiving, closing })
    }

    /// A session for a new visitor. Nothing is stored.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator has no random bytes.
    pub fn new_session(&self) -> Result<Session, NoEntropy> {
        Session::generate(&*self.world.entropy)
    }

    /// Who holds this session.
    ///
    /// # Errors
    /// [`IdError`] if the account is one of a channel whose ids look different.
    pub fn visitor(&self, session: &Session) -> Result<SenderId, IdError> {
        session.visitor(self.channel())
    }

    /// Opens a page's line: first what was kept, then what comes. The caller bounds how many there are.
    #[must_use]
    pub fn open(self: &Arc<Self>, visitor: SenderId) -> Line {
        let opened = self.mailboxes().open(&visitor);
        let is_awaited = self.awaited().take(&visitor);
        Line { chat: Arc::clone(self), visitor, opened, is_awaited }
    }

    /// Hands on what a visitor wrote; one that came in before, by its `id`, is dropped. Returns when the gate has
    /// decided, without saying what.
    ///
    /// # Errors
    /// [`Closing`] once the channel has ended.
    pub async fn receive(&self, inbox: &Inbox, written: Written) -> Result<(), Closing> {
        // Counted from before the look at `closing`: either the end waits for us, or we see that it has begun.
        let _counted = self.receiving.token();
        if self.closing.is_cancelled() {
            return Err(Closing);
        }
        if let Some(message) = self.message(written) {
            inbox.deliver(message).await;
        }
        Ok(())
    }

    /// A page of this visitor has the text.
    pub fn received(&self, visitor: &SenderId, id: &str) {
        self.mailboxes().confirm(visitor, id);
    }

    /// What a visitor wrote, as a message; `None` if it came in before.
    fn message(&self, Written { visitor, from, text, id }: Written) -> Option<InboundMessage> {
        let id = match id {
            Some(id) => self.seen.is_new(&visitor, &id).then_some(id)?,
            // The answers are told apart by the message's id.
            None => self.new_session().ok()?.reveal().to_owned(),
        };
        let route = ReplyRoute::new(visitor.as_str());
        let mut message = InboundMessage::direct(self.meta.account.clone(), Sender::new(visitor), text);
        message.route = route;
        message.message_id = Some(id);
        message.source = from.map(Source::of_address);
        Some(message)
    }

    fn channel(&self) -> &ChannelId {
        self.meta.account.channel()
    }

    fn mailboxes(&self) -> MutexGuard<'_, Mailboxes> {
        // Each change is one call that leaves whole mailboxes behind.
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn visitor_of(&self, route: &ReplyRoute) -> Result<SenderId, SendError> {
        SenderId::parse(self.channel(), route.as_str())
            .map_err(|_| SendError::Impossible { reason: "the route is no visitor of the web chat".into() })
    }
}

#[async_trait]
impl ChannelAdapter for WebChat {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    /// The gateway receives. Pages stay open until it ends, so that the last answers reach them.
    async fn run(&self, _inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        shutdown.cancelled().await;
        self.closing.cancel();
        self.receiving.close();
        self.receiving.wait().await;
        Ok(())
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let visitor = self.visitor_of(route)?;
        if text.kind == TextKind::Reply {
            self.mailboxes().put(&visitor, text);
            return Ok(());
        }
        let sent = self.mailboxes().put_before(&visitor, text);
        let Some(confirmation) = sent else {
            self.awaited().add(&visitor);
            return Err(SendError::Failed {
                reason: "the visitor's page is not open".into(),
                retry_after: Some(NEXT_TRY),
            });
        };
        // Takes the text back also when this future is dropped.
        let _sending = Sending { chat: self, visitor: &visitor, id: &text.idempotency_key };
        let confirmed = tokio::select! {
            confirmed = tokio::time::timeout(CONFIRM_WITHIN, confirmation) => matches!(confirmed, Ok(Ok(()))),
            // A page that says nothing does not hold up the end.
            () = self.closing.cancelled() => false,
        };
        if confirmed {
            return Ok(());
        }
        self.awaited().add(&visitor);
        Err(SendError::Unknown { reason: "no page said that it has the text".into() })
    }

    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        if let Ok(visitor) = self.visitor_of(route) {
            self.mailboxes().show(&visitor, &Event::Typing);
        }
    }

    fn status(&self) -> ChannelStatus {
        ChannelStatus::Ready
    }
}

/// What a visitor wrote.
pub struct Written {
    /// Who: from a [`Session`].
    pub visitor: SenderId,
    /// From which network address; `None` where it is not the visitor's own, as behind a reverse proxy.
    pub from: Option<IpAddr>,
    /// What.
    pub text: String,
    /// The page's id of the message: the same when it is sent again.
    pub id: Option<String>,
}

/// The line of an open page. Closed when it is dropped.
pub struct Line {
    chat: Arc<WebChat>,
    visitor: SenderId,
    opened: Opened,
    is_awaited: bool,
}

impl Line {
    /// Whether a code or notice could not be sent while the visitor was away: it is time for another try
    /// ([`Inbox::reachable`]).
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// The next event; `None` when the page is to open a new line.
    pub async fn next(&mut self) -> Option<Event> {
        self.opened.events.recv().await
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.chat.mailboxes().close(&self.visitor, self.opened.number);
    }
}

/// A text that somebody waits for.
struct Sending<'a> {
    chat: &'a WebChat,
    visitor: &'a SenderId,
    id: &'a str,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.chat.mailboxes().forget(self.visitor, self.id);
    }
}

#[cfg(test)]
mod tests;
