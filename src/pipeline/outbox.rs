//! The outbox of one account: codes and notices that are to be sent, until they arrived.
//!
//! What is to be sent is in the store, so a restart loses nothing; here is only when to try next.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Pipeline, backoff};
use crate::channel::{ChannelAdapter, OutboundText, SendError, TextKind};
use crate::message::{AccountKey, ReplyRoute, SenderId};
use crate::pairing::record::{SendKind, SendStep, Sending};
use crate::pairing::{ChannelState, RequestId};
use crate::policy::HOUR;
use crate::store::{Snapshot, StoreError};

/// What an approved sender reads.
const NOTICE: &str = "✅ The owner let you in. Write again, and you will be answered.";

/// Tries with an unknown outcome after which a text is not tried again, since it may have arrived as often.
const UNKNOWN_TRIES: u32 = 2;

/// Tries of a notice: unlike a code it does not expire.
const NOTICE_TRIES: u32 = 30;

/// How long a store that is in trouble is left alone.
const TROUBLE: Duration = Duration::from_secs(5);

/// One account's outbox at work.
struct Outbox {
    pipeline: Pipeline,
    account: AccountKey,
    shutdown: CancellationToken,
    plans: HashMap<(RequestId, SendKind), Plan>,
    tries: JoinSet<Tried>,
}

/// When a text is tried next.
struct Plan {
    /// Tries that ended, and did not end well.
    failed: u32,
    next: Instant,
    under_way: Option<Id>,
    /// The sender could be reached again while a try was under way, too late for it.
    again: bool,
}

/// What a try came to: when another is needed, if it is.
type Tried = Result<Option<Duration>, StoreError>;

/// A text that is to be sent; without one it is not wanted any more.
struct Due {
    send: Sending,
    text: Option<OutboundText>,
}

/// Sends what is to be sent on one account until `shutdown`; tries under way are waited for.
pub(super) async fn run(pipeline: Pipeline, account: AccountKey, shutdown: CancellationToken) {
    let (plans, tries) = Default::default();
    Outbox { pipeline, account, shutdown, plans, tries }.run().await;
}

impl Outbox {
    async fn run(mut self) {
        let (pipeline, account, shutdown) =
            (self.pipeline.clone(), self.account.clone(), self.shutdown.clone());
        let Some(line) = pipeline.0.lines.get(&account) else { return };
        let store = pipeline.0.gate.store();
        while !shutdown.is_cancelled() {
            let loaded = store.load(&account).await;
            let next = self.start_due(&loaded.snapshot);
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(ended) = self.tries.join_next_with_id() => self.ended(ended),
                () = sleep_until(next) => {}
                () = store.changed(&account, loaded.revision) => {}
                () = line.reachable.notified() => {
                    for plan in self.plans.values_mut() {
                        plan.next = Instant::now();
                        plan.again = plan.under_way.is_some();
                    }
                }
            }
        }
        while self.tries.join_next().await.is_some() {}
    }

    /// Starts a try of each text that is due, and forgets texts that are not to be sent any more. Says when to look
    /// again.
    fn start_due(&mut self, snapshot: &Snapshot) -> Option<Instant> {
        // Trouble with the files is told by the gate; what is to be sent waits.
        let Ok(state) = &snapshot.pending else { return Some(Instant::now() + TROUBLE) };
        let due: Vec<Due> = self.due(state, snapshot).collect();
        self.plans.retain(|key, plan| plan.under_way.is_some() || due.iter().any(|due| due.key() == *key));
        for due in due {
            let fresh = Plan { failed: 0, next: Instant::now(), under_way: None, again: false };
            let plan = self.plans.entry(due.key()).or_insert(fresh);
            if plan.under_way.is_none() && plan.next <= Instant::now() {
                let (pipeline, account) = (self.pipeline.clone(), self.account.clone());
                let try_once = try_once(pipeline, account, due, plan.failed + 1, self.shutdown.clone());
                plan.under_way = Some(self.tries.spawn(try_once).id());
            }
        }
        self.plans.values().filter(|plan| plan.under_way.is_none()).map(|plan| plan.next).min()
    }

    /// What is to be sent on this account, as the texts read now.
    fn due<'a>(&'a self, state: &'a ChannelState, snapshot: &'a Snapshot) -> impl Iterator<Item = Due> + 'a {
        let now = self.pipeline.0.gate.clock().now();
        let of_account = |send: &&Sending| send.account == self.account.account().as_str();
        state.record.sends.iter().filter(of_account).filter_map(move |send| {
            let body = match send.what {
                SendKind::Challenge => {
                    let waits = |r: &&crate::pairing::Request| r.request == send.request && r.is_live(now);
                    Some(self.pipeline.0.gate.reply_for(&self.account, state.requests.iter().find(waits)?))
                }
                SendKind::Notice => {
                    // Where the list can't be read, it is not known whether the notice is still true.
                    let allowed = snapshot.allowed.as_ref().ok()?;
                    let is_in = SenderId::from_record(&send.to).is_some_and(|id| allowed.contains(&id));
                    is_in.then(|| NOTICE.to_owned())
                }
            };
            let kind = match send.what {
                SendKind::Challenge => TextKind::Challenge,
                SendKind::Notice => TextKind::Notice,
            };
            let idempotency_key = format!("{}:{kind:?}", send.request);
            let text = body.map(|body| OutboundText { body, kind, idempotency_key });
            Some(Due { send: send.clone(), text })
        })
    }

    fn ended(&mut self, ended: Result<(Id, Tried), JoinError>) {
        let (id, tried) = match ended {
            Ok((id, tried)) => (id, Some(tried)),
            Err(error) => (error.id(), None),
        };
        let Some((key, plan)) = self.plans.iter_mut().find(|(_, plan)| plan.under_way == Some(id)) else {
            return;
        };
        plan.under_way = None;
        let account = &self.account;
        let wait = match tried {
            Some(Ok(None)) => {
                let key = key.clone();
                self.plans.remove(&key);
                return;
            }
            Some(Ok(Some(wait))) => {
                plan.failed += 1;
                wait
            }
            Some(Err(error)) => {
                tracing::error!(%account, "a text waits: {error}");
                TROUBLE
            }
            // The record says that a try began, and not what became of it.
            None => {
                tracing::error!(%account, request = %key.0, "the channel broke down while it sent a text");
                plan.failed += 1;
                backoff(plan.failed)
            }
        };
        // A code does not live longer than an hour; a platform may ask for eternity.
        let wait = if std::mem::take(&mut plan.again) { Duration::ZERO } else { wait.min(24 * HOUR) };
        plan.next = Instant::now() + wait;
    }
}

impl Due {
    fn key(&self) -> (RequestId, SendKind) {
        (self.send.request.clone(), self.send.what)
    }
}

/// One try, noted before and after. Returns when to try again.
// INVARIANT I6: the same code, until one try succeeded or the code expired; a try whose outcome is unknown at most once
// more, unless the platform drops the second; nothing after a known success.
async fn try_once(
    pipeline: Pipeline,
    account: AccountKey,
    Due { send, text }: Due,
    number: u32,
    shutdown: CancellationToken,
) -> Tried {
    let Some(line) = pipeline.0.lines.get(&account) else { return Ok(None) };
    let note = |step| pipeline.0.gate.store().sending(&account, &send.request, send.what, step);
    let Some(begun) = note(SendStep::Try).await? else {
        // Decided, expired or sent meanwhile.
        return Ok(None);
    };
    let is_hopeless = (begun.unknown >= UNKNOWN_TRIES && !line.adapter.meta().idempotent_sends)
        || (send.what == SendKind::Notice && number > NOTICE_TRIES);
    let route = send.route.clone().or_else(|| route_of(&*line.adapter, &send.to));
    let (Some(route), Some(text), false) = (route, text, is_hopeless) else {
        tracing::warn!(%account, request = %send.request, "a text is given up");
        note(SendStep::GivenUp).await?;
        return Ok(None);
    };
    let (step, wait) = match line.adapter.send_text(&route, &text).await {
        Ok(()) => (SendStep::Sent, None),
        Err(SendError::Failed { reason, retry_after }) => {
            tracing::warn!(%account, request = %send.request, "a text was not sent and is tried again: {reason}");
            (SendStep::Failed, Some(retry_after.unwrap_or_else(|| backoff(number))))
        }
        Err(SendError::Unknown { reason }) => {
            tracing::warn!(%account, request = %send.request, "a text may not have arrived: {reason}");
            (SendStep::Unknown, Some(backoff(number)))
        }
        Err(SendError::Impossible { reason }) => {
            tracing::warn!(%account, request = %send.request, "a text can't be sent: {reason}");
            (SendStep::GivenUp, None)
        }
    };
    // What became of the try is known here only, until it is noted: another one before that could be one too many.
    while let Err(error) = note(step).await {
        tracing::error!(%account, request = %send.request, "what became of a text is not noted yet: {error}");
        tokio::select! {
            () = tokio::time::sleep(TROUBLE) => {}
            () = shutdown.cancelled() => return Err(error),
        }
    }
    Ok(wait)
}

fn route_of(adapter: &dyn ChannelAdapter, to: &str) -> Option<ReplyRoute> {
    adapter.route_to(&SenderId::from_record(to)?)
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
