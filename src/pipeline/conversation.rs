//! Conversations: turns of one sender come one after another, in their order; turns of different ones at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::split::split;
use super::{Line, Pipeline, backoff};
use crate::agent::Turn;
use crate::channel::{OutboundText, SendError, TextKind};
use crate::decision::{Permit, Reason};
use crate::message::{AccountKey, InboundMessage, ReplyRoute, SenderId};

/// Messages that wait in one conversation; when they are more, the channel waits.
const QUEUE: usize = 32;

/// Turns at the same time, over all conversations.
const TURNS: usize = 64;

/// Turns that have their answer while showing that they are worked on has not come to its end. Of more it is cut off.
const TYPING: usize = 64;

/// Tries of one answer.
const TRIES: u32 = 6;

/// An answer that may not be tried again for longer than this is lost: the next message waits behind it.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The conversations that have something to do. One that is idle is not here.
pub(super) struct Conversations {
    /// To be found by, not to be kept open by: that is what those do who wait in a queue, or to get into it.
    queues: DashMap<(AccountKey, SenderId), Option<mpsc::WeakSender<Admitted>>>,
    turns: Semaphore,
    typing: Arc<Semaphore>,
    begun: AtomicU64,
}

struct Admitted {
    permit: Permit,
    message: InboundMessage,
    /// The queue is open, and so the conversation goes on, until the last one's turn is over.
    _queue: mpsc::Sender<Admitted>,
}

impl Default for Conversations {
    fn default() -> Self {
        let typing = Arc::new(Semaphore::new(TYPING));
        Self { queues: DashMap::new(), turns: Semaphore::new(TURNS), typing, begun: AtomicU64::new(0) }
    }
}

impl Conversations {
    /// Queues an admitted message; waits while its conversation is full. On an open account, a message of somebody on no
    /// list is dropped then.
    pub(super) async fn queue(pipeline: &Pipeline, permit: Permit, message: InboundMessage) {
        let queue = Self::open(pipeline, (message.account.clone(), message.sender.primary().clone()));
        let is_anyone = permit.reason() == Reason::Open;
        let admitted = Admitted { permit, message, _queue: queue.clone() };
        // Whom the owner let in is waited for. Anyone at all must not hold up the others behind them.
        let queued =
            if is_anyone { queue.try_send(admitted).is_ok() } else { queue.send(admitted).await.is_ok() };
        if !queued {
            tracing::debug!("a message is dropped: its conversation is full, or over");
        }
    }

    /// The queue of a conversation. While its entry is locked it is found open, or begun anew: never are there two.
    fn open(pipeline: &Pipeline, key: (AccountKey, SenderId)) -> mpsc::Sender<Admitted> {
        let mut entry = pipeline.0.conversations.queues.entry(key.clone()).or_default();
        let found = entry.as_ref().and_then(mpsc::WeakSender::upgrade);
        found.unwrap_or_else(|| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            *entry = Some(queue.downgrade());
            pipeline.0.tasks.spawn(converse(pipeline.clone(), key, waiting));
            queue
        })
    }

    /// Lets the end come of showing that an answer is worked on, when the answer is there. Nobody waits for it; but a
    /// call that is cut off costs an adapter its connection.
    fn see_out(&self, typing: impl Future<Output = ()> + Send + 'static) {
        if let Ok(room) = Arc::clone(&self.typing).try_acquire_owned() {
            tokio::spawn(async move {
                typing.await;
                drop(room);
            });
        }
    }
}

/// Works off one conversation, and ends when nobody has its queue any more.
async fn converse(pipeline: Pipeline, key: (AccountKey, SenderId), mut waiting: mpsc::Receiver<Admitted>) {
    while let Some(Admitted { permit, message, _queue }) = waiting.recv().await {
        // A task of its own: an agent or a channel that breaks down costs this turn, and not those behind it.
        let turn = tokio::spawn(turn(pipeline.clone(), permit, message));
        if AbortOnDropHandle::new(turn).await.is_err() {
            tracing::error!(account = %key.0, "the agent or the channel broke down in a turn: there is no answer");
        }
    }
    let is_over = |queue: &Option<mpsc::WeakSender<_>>| queue.as_ref().is_none_or(|q| q.strong_count() == 0);
    pipeline.0.conversations.queues.remove_if(&key, |_, queue| is_over(queue));
}

async fn turn(pipeline: Pipeline, permit: Permit, message: InboundMessage) {
    let Some(line) = pipeline.0.lines.get(&message.account) else { return };
    let Ok(under_way) = pipeline.0.conversations.turns.acquire().await else { return };
    // INVARIANT I9: who was revoked while the message waited does not reach the agent, nor get its answer.
    if !permit.is_current().await {
        tracing::info!(account = %message.account, "a message that waited is dropped: its sender is not in any more");
        return;
    }
    let (account, route) = (message.account.clone(), message.route.clone());
    let Some(turn) = Turn::new(permit.clone(), message, Arc::clone(&line.adapter)) else { return };
    let mut answer = pipeline.0.agent.respond(turn);
    let (adapter, to) = (Arc::clone(&line.adapter), route.clone());
    let mut typing = Box::pin(async move { adapter.show_typing(&to).await });
    let answer = tokio::select! {
        biased;
        () = &mut typing => answer.await,
        answer = &mut answer => {
            pipeline.0.conversations.see_out(typing);
            answer
        }
    };
    // An answer that can't be delivered keeps nobody else's turn from beginning.
    drop(under_way);
    match answer {
        Ok(texts) => send_answer(&pipeline, line, &permit, &route, &texts).await,
        Err(error) => tracing::error!(%account, "the agent gave no answer: {error}"),
    }
}

async fn send_answer(
    pipeline: &Pipeline,
    line: &Line,
    permit: &Permit,
    route: &ReplyRoute,
    texts: &[String],
) {
    let meta = line.adapter.meta();
    let account = &meta.account;
    for body in texts.iter().flat_map(|text| split(text, meta.text_limit)) {
        // The message's own id would not do: some have none, and some platforms count anew in each conversation.
        let number = pipeline.0.conversations.begun.fetch_add(1, Ordering::Relaxed);
        let idempotency_key = format!("{:x}-{number:x}", pipeline.0.since.as_millis());
        let text = OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key };
        match send(line, permit, route, &text).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::info!(%account, "an answer is dropped: its receiver is not in any more");
                return;
            }
            Err(error) => {
                tracing::error!(%account, "an answer was lost: {error}");
                return;
            }
        }
    }
}

/// Sends one part of an answer; tries again where it surely did not arrive, so that nothing arrives twice. `false` when
/// its receiver is not in any more.
async fn send(
    line: &Line,
    permit: &Permit,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<bool, SendError> {
    let mut tries = 1;
    // INVARIANT I9: asked before every try, since waits lie between them.
    while permit.is_current().await {
        let error = match line.adapter.send_text(route, text).await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        let wait = match &error {
            SendError::Failed { retry_after, .. } => retry_after.unwrap_or_else(|| backoff(tries)),
            SendError::Unknown { .. } if line.adapter.meta().idempotent_sends => backoff(tries),
            SendError::Unknown { .. } | SendError::Impossible { .. } => return Err(error),
        };
        if tries == TRIES || wait > LONGEST_WAIT {
            return Err(error);
        }
        tries += 1;
        tokio::time::sleep(wait).await;
    }
    Ok(false)
}
