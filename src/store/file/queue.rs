//! Strangers who knock at the same time share one transaction.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::decision::Fault;
use crate::pairing::{Knock, Knocked};
use crate::store::StoreError;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What becomes of a knock.
pub(super) type Answer = Result<Knocked, StoreError>;

/// Knocks that wait for the transaction that is under way. Whoever finds none under way begins one, and works off what
/// came in meanwhile, all at once.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    knocks: Vec<(Knock, oneshot::Sender<Answer>)>,
    is_busy: bool,
}

/// Knocks of one transaction.
const AT_ONCE: usize = 256;

impl Queue {
    pub(super) async fn knock(
        &self,
        knock: Knock,
        together: impl Fn(&[Knock]) -> Result<Vec<Answer>, StoreError> + Send + 'static,
    ) -> Answer {
        let (sender, answer) = oneshot::channel();
        let begins = {
            let mut waiting = self.lock();
            waiting.knocks.push((knock, sender));
            !std::mem::replace(&mut waiting.is_busy, true)
        };
        if begins {
            let turn = Turn { queue: self.clone(), is_over: false };
            // A transaction that began is ended, also when nobody waits for it any more.
            drop(tokio::task::spawn_blocking(move || turn.work(together)));
        }
        answer.await.unwrap_or_else(|_| Err(Fault::unreadable("the store broke down; see the log").into()))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody works the queue off. Dropped before that is done (by a panic, or by a runtime that ends before it begins),
/// the next knock begins anew, and who waits is told that the store broke down.
struct Turn {
    queue: Queue,
    is_over: bool,
}

impl Turn {
    fn work(mut self, together: impl Fn(&[Knock]) -> Result<Vec<Answer>, StoreError>) {
        while let Some(batch) = self.next() {
            let (knocks, senders): (Vec<Knock>, Vec<_>) = batch.into_iter().unzip();
            match together(&knocks) {
                Ok(answers) => {
                    for (sender, answer) in senders.into_iter().zip(answers) {
                        // Who asked may be gone.
                        let _ = sender.send(answer);
                    }
                }
                Err(error) => {
                    for sender in senders {
                        let _ = sender.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn next(&mut self) -> Option<Vec<(Knock, oneshot::Sender<Answer>)>> {
        let mut waiting = self.queue.lock();
        let many = waiting.knocks.len().min(AT_ONCE);
        let batch: Vec<_> = waiting.knocks.drain(..many).collect();
        // Given up under the lock: whoever comes after this look begins a transaction.
        self.is_over = batch.is_empty();
        waiting.is_busy = !self.is_over;
        (!self.is_over).then_some(batch)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            let mut waiting = self.queue.lock();
            waiting.is_busy = false;
            waiting.knocks.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;
    use crate::message::{AccountId, ChannelId, ReplyRoute, Sender, SenderId};
    use crate::pairing::Handover;
    use crate::policy::Limits;

    fn knock() -> Knock {
        let id = SenderId::parse(&ChannelId::parse("custom").unwrap(), "1").unwrap();
        Knock {
            account: AccountId::default_account(),
            sender: Sender::new(id),
            route: ReplyRoute::default(),
            source: None,
            meta: Vec::new(),
            limits: Limits::default(),
            handover: Handover::Caller,
        }
    }

    fn refuse(knocks: &[Knock]) -> Result<Vec<Answer>, StoreError> {
        Ok(knocks.iter().map(|_| Ok(Knocked::Refused(Reason::PendingFull))).collect())
    }

    /// Asks until the turn that broke down is over: a knock that meets its end is told so.
    async fn served(queue: &Queue) -> Knocked {
        loop {
            if let Ok(answer) = queue.knock(knock(), refuse).await {
                return answer;
            }
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn a_panic_is_told_and_the_next_knock_is_served() {
        let queue = Queue::default();
        runtime().block_on(async {
            let broken = queue.knock(knock(), |_| panic!("on purpose")).await;
            assert!(broken.unwrap_err().to_string().contains("broke down"));
            assert!(matches!(served(&queue).await, Knocked::Refused(_)));
        });
    }

    #[test]
    fn a_runtime_that_ends_before_its_turn_blocks_nobody() {
        let queue = Queue::default();
        let ended = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = std::sync::mpsc::channel::<()>();
        ended.block_on(async {
            // The one thread is busy, so that the turn waits for it.
            drop(tokio::task::spawn_blocking(move || {
                let _ = begun.send(());
                let _ = held.recv();
            }));
            let mut asked = Box::pin(queue.knock(knock(), refuse));
            assert!(
                std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await.is_pending()
            );
        });
        begins.recv().unwrap();
        // What was not begun when a runtime shuts down is dropped.
        ended.shutdown_background();
        drop(hold);
        assert!(matches!(runtime().block_on(served(&queue)), Knocked::Refused(_)));
    }
}
