//! Messages by long poll.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use dmgate::{ChannelStatus, Conversation, InboundMessage, Inbox, Origin};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::api::is_expired;
use super::session::Session;
use super::{Place, Weixin, update};
use crate::api::ApiError;
use crate::backoff::{Backoff, wait};

/// How long a poll may be held at the server's wish.
const HOLDS: std::ops::RangeInclusive<u64> = 1_000..=120_000;

/// What may be asked for again at once: an answer of nothing that came sooner shows that nobody holds it.
const BRISK: Duration = Duration::from_millis(500);

/// The longest cursor that fits into what an adapter keeps.
const CURSOR_LIMIT: usize = 65_536;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a poll brought.
struct Batch {
    messages: Vec<Value>,
    cursor: Option<String>,
    hold: Option<Duration>,
}

/// Why a session is over.
enum Over {
    /// We end.
    Stopped,
    /// Its token is not taken any more.
    Expired,
    /// There is a new login.
    Replaced,
}

impl Weixin {
    /// Receives until `shutdown`, with one login after another.
    pub(super) async fn poll(&self, inbox: &Inbox, shutdown: &CancellationToken) {
        let mut expired = None;
        while let Some(session) = self.log_in(expired.as_ref(), shutdown).await {
            match self.serve(&session, inbox, shutdown).await {
                Over::Stopped => break,
                Over::Expired => expired = session.token.clone(),
                Over::Replaced => expired = None,
            }
        }
    }

    /// Asks for messages until the session is over.
    async fn serve(&self, session: &Arc<Session>, inbox: &Inbox, shutdown: &CancellationToken) -> Over {
        let mut cursor = self.begin(&session.bot).await;
        let mut backoff =
            Backoff::new(self.setup.world.clone(), self.pace.first_retry, self.pace.longest_retry);
        let (mut hold, mut is_silent) = (self.pace.hold, false);
        tokio::select! {
            () = shutdown.cancelled() => return Over::Stopped,
            greeted = session.link.call("ilink/bot/msg/notifystart", json!({})) => match greeted {
                Ok(_) => self.receiving(inbox),
                Err(error) if is_expired(&error) => return Over::Expired,
                // Older servers don't know it; the first poll says how we stand.
                Err(error) => tracing::debug!(account = %self.meta.account, "no greeting: {error}"),
            },
        }
        while !shutdown.is_cancelled() {
            let asked = Instant::now();
            let answer = tokio::select! {
                () = shutdown.cancelled() => break,
                answer = timeout(hold + self.pace.patience, updates(session, &cursor, hold * 2)) => answer,
            };
            let batch = match answer {
                Ok(Ok(batch)) => batch,
                Ok(Err(error)) if is_expired(&error) => return Over::Expired,
                Ok(Err(error)) => {
                    self.status.set(ChannelStatus::Connecting(Some(error.to_string())));
                    if !wait(backoff.next(), shutdown).await {
                        break;
                    }
                    continue;
                }
                // One that has nothing to say may also say nothing.
                Err(_) => {
                    if std::mem::replace(&mut is_silent, true) {
                        let reason = "WeChat does not answer".to_owned();
                        self.status.set(ChannelStatus::Connecting(Some(reason)));
                    }
                    continue;
                }
            };
            is_silent = false;
            self.receiving(inbox);
            hold = batch.hold.unwrap_or(hold);
            let Some(taken) = self.deliver(session, &batch.messages, inbox, shutdown).await else { break };
            let next = batch.cursor.filter(|next| *next != cursor);
            let goes_on = next.is_some() || asked.elapsed() >= BRISK;
            if let Some(next) = next {
                // Only now: what lies before the cursor never comes again.
                let saved = next.clone();
                self.kept.change(|place| (place.cursor, place.taken) = (saved, VecDeque::new())).await;
                cursor = next;
            } else if !taken.is_empty() {
                self.kept.change(|place| place.take(taken)).await;
            }
            if self.is_replaced(session).await {
                self.end(session).await;
                return Over::Replaced;
            }
            if goes_on {
                backoff.reset();
            } else if !wait(backoff.next(), shutdown).await {
                break;
            }
        }
        self.end(session).await;
        Over::Stopped
    }

    async fn end(&self, session: &Session) {
        let _ = timeout(GOODBYE, session.link.call("ilink/bot/msg/notifystop", json!({}))).await;
    }

    fn receiving(&self, inbox: &Inbox) {
        if self.status.get() != ChannelStatus::Ready {
            self.status.set(ChannelStatus::Ready);
            inbox.reachable(&self.meta.account);
        }
    }

    /// Where we stand in a bot's stream. Another bot than before has a stream and tokens of its own.
    async fn begin(&self, bot: &str) -> String {
        let change = |place: &mut Place| {
            if place.bot != bot {
                *place = Place { bot: bot.to_owned(), ..Place::default() };
            }
        };
        self.kept.change(change).await;
        let (cursor, taken) = self.kept.look(|place| (place.cursor.clone(), place.taken.clone())).await;
        for id in taken {
            self.seen.is_new(id);
        }
        cursor
    }

    /// Hands messages on, one after another, and says which were taken; `None` if the rest is left for the next run,
    /// since a shutdown began or nobody takes messages any more.
    async fn deliver(
        &self,
        session: &Session,
        messages: &[Value],
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Option<Vec<String>> {
        let mut taken = Vec::new();
        for message in messages {
            let parsed = self.parse(session, message);
            // What is still being written comes again with the same number.
            let acts = parsed.as_ref().is_some_and(|parsed| parsed.event.acts());
            let id = update::id(message).filter(|_| acts);
            let is_new = id.clone().is_none_or(|id| self.seen.is_new(id));
            let goes_on = !shutdown.is_cancelled()
                && match parsed.filter(|_| is_new) {
                    Some(parsed) => {
                        self.remember(&parsed, message).await;
                        inbox.deliver(parsed).await
                    }
                    None => true,
                };
            if !goes_on {
                self.kept.change(|place| place.take(taken)).await;
                return None;
            }
            taken.extend(id);
        }
        Some(taken)
    }

    fn parse(&self, session: &Session, message: &Value) -> Option<InboundMessage> {
        update::parse(&self.meta.account, session.own_id.as_deref(), message)
            .inspect_err(
                |reason| tracing::debug!(account = %self.meta.account, "a message is dropped: {reason}"),
            )
            .ok()
    }

    /// Keeps what an answer must carry.
    async fn remember(&self, parsed: &InboundMessage, message: &Value) {
        if parsed.conversation != Conversation::Direct || parsed.origin != Origin::Person {
            return;
        }
        if let Some(token) = update::context_token(message) {
            let (person, token) = (parsed.sender.primary().to_string(), token.to_owned());
            self.kept.note(|place| place.tokens.put(person, token)).await;
        }
    }
}

async fn updates(session: &Session, cursor: &str, longer: Duration) -> Result<Batch, ApiError> {
    let fields = json!({ "get_updates_buf": cursor });
    let mut answer = session.link.call_slow("ilink/bot/getupdates", fields, longer).await?;
    let messages = match answer.get_mut("msgs").map(Value::take) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(session.link.lost("the answer holds no messages")),
    };
    let cursor = answer.get("get_updates_buf").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
    if cursor.is_some_and(|cursor| cursor.len() > CURSOR_LIMIT) {
        return Err(session.link.lost("the answer's place in the stream is too long"));
    }
    let hold = answer.get("longpolling_timeout_ms").and_then(Value::as_u64);
    let hold = hold.filter(|hold| *hold > 0).map(|hold| hold.clamp(*HOLDS.start(), *HOLDS.end()));
    Ok(Batch { messages, cursor: cursor.map(str::to_owned), hold: hold.map(Duration::from_millis) })
}
