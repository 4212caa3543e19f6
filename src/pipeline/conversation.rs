//! Conversations: turns of one sender come one after another, in their order; turns of different ones at the same time.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{Semaphore, mpsc};

use super::Pipeline;
use super::split::split;
use crate::agent::Turn;
use crate::channel::{ChannelAdapter, OutboundText, SendError, TextKind};
use crate::decision::Permit;
use crate::message::{AccountKey, InboundMessage, ReplyRoute, SenderId};

/// Messages that wait in one conversation; when they are more, the channel waits.
const QUEUE: usize = 32;

/// Turns at the same time, over all conversations.
const TURNS: usize = 64;

/// Tries of one answer.
const TRIES: u32 = 6;

/// The longest wait before another try.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The conversations that have something to do. One that is idle is not here.
pub(super) struct Conversations {
    queues: DashMap<(AccountKey, SenderId), mpsc::Sender<Admitted>>,
    turns: Semaphore,
}

struct Admitted {
    permit: Permit,
    message: InboundMessage,
}

impl Default for Conversations {
    fn default() -> Self {
        Self { queues: DashMap::new(), turns: Semaphore::new(TURNS) }
    }
}

impl Conversations {
    /// Queues an admitted message; waits while its conversation is full.
    pub(super) async fn queue(pipeline: &Pipeline, permit: Permit, message: InboundMessage) {
        let key = (message.account.clone(), message.sender.primary().clone());
        let queue = pipeline
            .0
            .conversations
            .queues
            .entry(key.clone())
            .or_insert_with(|| {
                let (queue, waiting) = mpsc::channel(QUEUE);
                pipeline.0.tasks.spawn(converse(pipeline.clone(), key, waiting));
                queue
            })
            // The clone is made while the entry is locked: the conversation does not end while it exists.
            .clone();
        if queue.send(Admitted { permit, message }).await.is_err() {
            tracing::error!("a conversation ended with messages in it");
        }
    }
}

/// Works off one conversation, and ends when nothing waits in it.
async fn converse(pipeline: Pipeline, key: (AccountKey, SenderId), mut waiting: mpsc::Receiver<Admitted>) {
    loop {
        while let Ok(admitted) = waiting.try_recv() {
            turn(&pipeline, admitted).await;
        }
        let queues = &pipeline.0.conversations.queues;
        let idle = |queue: &mpsc::Sender<Admitted>| queue.strong_count() == 1 && waiting.is_empty();
        if queues.remove_if(&key, |_, queue| idle(queue)).is_some() {
            return;
        }
        // Someone holds the queue and is about to put something in.
        match waiting.recv().await {
            Some(admitted) => turn(&pipeline, admitted).await,
            None => return,
        }
    }
}

async fn turn(pipeline: &Pipeline, Admitted { permit, message }: Admitted) {
    let Some(line) = pipeline.0.lines.get(&message.account) else { return };
    let Ok(_turn) = pipeline.0.conversations.turns.acquire().await else { return };
    // INVARIANT I9: who was revoked while the message waited does not reach the agent, nor get its answer.
    if !permit.is_current().await {
        tracing::info!(account = %message.account, "a message that waited is dropped: its sender is not in any more");
        return;
    }
    line.adapter.show_typing(&message.route).await;
    let (account, route) = (message.account.clone(), message.route.clone());
    let key = message.message_id.clone().unwrap_or_default();
    let texts =
        match pipeline.0.agent.respond(Turn::new(permit.clone(), message, Arc::clone(&line.adapter))).await {
            Ok(texts) => texts,
            Err(error) => {
                tracing::error!(%account, "the agent gave no answer: {error}");
                return;
            }
        };
    if !permit.is_current().await {
        tracing::info!(%account, "an answer is dropped: its receiver is not in any more");
        return;
    }
    let limit = line.adapter.meta().text_limit;
    for (number, body) in texts.iter().flat_map(|text| split(text, limit)).enumerate() {
        let idempotency_key = format!("{key}:{number}");
        let text = OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key };
        if let Err(error) = send_reply(&*line.adapter, &route, &text).await {
            tracing::error!(%account, "an answer was lost: {error}");
            return;
        }
    }
}

/// Sends one part of an answer; tries again where it surely did not arrive, so that nothing arrives twice.
async fn send_reply(
    adapter: &dyn ChannelAdapter,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let mut tries = 1;
    loop {
        let error = match adapter.send_text(route, text).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let wait = match &error {
            SendError::Failed { retry_after, .. } => retry_after.unwrap_or_else(|| backoff(tries)),
            SendError::Unknown { .. } if adapter.meta().idempotent_sends => backoff(tries),
            SendError::Unknown { .. } | SendError::Impossible { .. } => return Err(error),
        };
        if tries == TRIES {
            return Err(error);
        }
        tries += 1;
        tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
    }
}

/// One second, doubled with each try, at most a minute.
pub(super) fn backoff(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.saturating_sub(1).min(6)).min(LONGEST_WAIT)
}
