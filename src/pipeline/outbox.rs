//! The outbox of one account: codes and notices that are to be sent, until they arrived.
//!
//! What is to be sent is in the store, so a restart loses nothing; here is only when to try next.

use std::collections::HashMap;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Pipeline, backoff};
use crate::channel::{ChannelAdapter, OutboundText, SendError, TextKind};
use crate::message::{AccountKey, SenderId};
use crate::pairing::RequestId;
use crate::pairing::record::{Send, SendKind, SendStep};
use crate::store::{Loaded, StoreError};

/// What an approved sender reads.
const NOTICE: &str = "✅ The owner let you in. Write again, and you will be answered.";

/// Tries with an unknown outcome after which a text is not tried again, since it may have arrived as often.
const UNKNOWN_TRIES: u32 = 2;

/// Tries of a notice: unlike a code it does not expire.
const NOTICE_TRIES: u32 = 30;

type Key = (RequestId, SendKind);

/// When a text is tried next.
struct Plan {
    tries: u32,
    next: Instant,
    /// A try is under way.
    busy: bool,
}

/// What a try came to: `None` when the text needs no other.
type Tried = (Key, Option<std::time::Duration>);

/// Sends what is to be sent on one account until `shutdown`; tries under way are waited for.
pub(super) async fn run(pipeline: Pipeline, account: AccountKey, shutdown: CancellationToken) {
    let Some(line) = pipeline.0.lines.get(&account) else { return };
    let store = pipeline.0.gate.store();
    let mut plans: HashMap<Key, Plan> = HashMap::new();
    let mut tries: JoinSet<Tried> = JoinSet::new();
    while !shutdown.is_cancelled() {
        let loaded = store.load(&account).await;
        start_due(&pipeline, &account, &loaded, &mut plans, &mut tries);
        let next = plans.values().filter(|plan| !plan.busy).map(|plan| plan.next).min();
        let due = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            Some(Ok((key, wait))) = tries.join_next() => ended(&mut plans, &key, wait),
            () = due => {}
            () = store.changed(&account, loaded.revision) => {}
            () = line.outbox.notified() => {
                // A sender knocked, or can be reached again.
                plans.values_mut().for_each(|plan| plan.next = Instant::now());
            }
        }
    }
    while tries.join_next().await.is_some() {}
}

/// Starts a try of each text that is due; forgets texts that are not to be sent any more.
fn start_due(
    pipeline: &Pipeline,
    account: &AccountKey,
    loaded: &Loaded,
    plans: &mut HashMap<Key, Plan>,
    tries: &mut JoinSet<Tried>,
) {
    // Trouble with the files is told by the gate; what is to be sent waits.
    let Ok(state) = &loaded.snapshot.pending else { return };
    let now = pipeline.0.gate.clock().now();
    let texts: Vec<(Send, OutboundText)> = state
        .record
        .sends
        .iter()
        .filter(|send| send.account == account.account().as_str())
        .filter_map(|send| {
            let (body, kind) = match send.what {
                SendKind::Notice => (NOTICE.to_owned(), TextKind::Notice),
                SendKind::Challenge => {
                    let waits = |r: &&crate::pairing::Request| r.request == send.request && r.is_live(now);
                    let request = state.requests.iter().find(waits)?;
                    (pipeline.0.gate.reply_for(account, request), TextKind::Challenge)
                }
            };
            let idempotency_key = format!("{}:{kind:?}", send.request);
            Some((send.clone(), OutboundText { body, kind, idempotency_key }))
        })
        .collect();
    plans.retain(|key, plan| {
        plan.busy || texts.iter().any(|(send, _)| send.request == key.0 && send.what == key.1)
    });
    for (send, text) in texts {
        let key = (send.request.clone(), send.what);
        let plan = plans.entry(key).or_insert_with(|| Plan { tries: 0, next: Instant::now(), busy: false });
        if !plan.busy && plan.next <= Instant::now() {
            plan.busy = true;
            plan.tries += 1;
            tries.spawn(attempt(pipeline.clone(), account.clone(), send, text, plan.tries));
        }
    }
}

fn ended(plans: &mut HashMap<Key, Plan>, key: &Key, wait: Option<std::time::Duration>) {
    match (wait, plans.get_mut(key)) {
        (Some(wait), Some(plan)) => {
            plan.busy = false;
            plan.next = Instant::now() + wait;
        }
        _ => drop(plans.remove(key)),
    }
}

async fn attempt(
    pipeline: Pipeline,
    account: AccountKey,
    send: Send,
    text: OutboundText,
    tries: u32,
) -> Tried {
    let key = (send.request.clone(), send.what);
    let wait = match try_once(&pipeline, &account, &send, &text, tries).await {
        Ok(wait) => wait,
        Err(error) => {
            tracing::error!(%account, "a text waits: {error}");
            Some(backoff(tries))
        }
    };
    (key, wait)
}

/// One try, noted before and after. Returns when to try again.
// INVARIANT I6: the same code, until one try succeeded or the code expired; a try whose outcome is unknown at most once
// more, unless the platform drops the second; nothing after a known success.
async fn try_once(
    pipeline: &Pipeline,
    account: &AccountKey,
    send: &Send,
    text: &OutboundText,
    tries: u32,
) -> Result<Option<std::time::Duration>, StoreError> {
    let Some(line) = pipeline.0.lines.get(account) else { return Ok(None) };
    let note = |step| pipeline.0.gate.store().sending(account, &send.request, send.what, step);
    let Some(begun) = note(SendStep::Try).await? else {
        // Decided, expired or sent meanwhile.
        return Ok(None);
    };
    let idempotent = line.adapter.meta().idempotent_sends;
    let is_hopeless = (begun.unknown >= UNKNOWN_TRIES && !idempotent)
        || (send.what == SendKind::Notice && tries > NOTICE_TRIES);
    let route = send.route.clone().or_else(|| route_of(&*line.adapter, &send.to));
    let (Some(route), false) = (route, is_hopeless) else {
        tracing::warn!(%account, request = %send.request, "a text is given up");
        note(SendStep::GivenUp).await?;
        return Ok(None);
    };
    let (step, wait) = match line.adapter.send_text(&route, text).await {
        Ok(()) => (SendStep::Sent, None),
        Err(SendError::Failed { reason, retry_after }) => {
            tracing::warn!(%account, request = %send.request, "a text was not sent and is tried again: {reason}");
            (SendStep::Failed, Some(retry_after.unwrap_or_else(|| backoff(tries))))
        }
        Err(SendError::Unknown { reason }) => {
            tracing::warn!(%account, request = %send.request, "a text may not have arrived: {reason}");
            (SendStep::Unknown, Some(backoff(tries)))
        }
        Err(SendError::Impossible { reason }) => {
            tracing::warn!(%account, request = %send.request, "a text can't be sent: {reason}");
            (SendStep::GivenUp, None)
        }
    };
    note(step).await?;
    Ok(wait)
}

fn route_of(adapter: &dyn ChannelAdapter, to: &str) -> Option<crate::message::ReplyRoute> {
    adapter.route_to(&SenderId::from_record(to)?)
}
