//! Strangers who knock at the same time share one transaction.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::decision::Fault;
use crate::pairing::{Knock, Knocked};
use crate::store::StoreError;

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
            let queue = self.clone();
            // A transaction that began is ended, also when nobody waits for it any more.
            drop(tokio::task::spawn_blocking(move || queue.work(together)));
        }
        answer.await.unwrap_or_else(|_| Err(Fault::unreadable("the store broke down; see the log").into()))
    }

    fn work(&self, together: impl Fn(&[Knock]) -> Result<Vec<Answer>, StoreError>) {
        let guard = Busy(self);
        while let Some(batch) = guard.next() {
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody works the queue off. Dropped, also by a panic, the next knock begins anew.
struct Busy<'a>(&'a Queue);

impl Busy<'_> {
    fn next(&self) -> Option<Vec<(Knock, oneshot::Sender<Answer>)>> {
        let mut waiting = self.0.lock();
        let many = waiting.knocks.len().min(AT_ONCE);
        let batch: Vec<_> = waiting.knocks.drain(..many).collect();
        // Given up under the lock: whoever comes after this look begins a transaction.
        waiting.is_busy = !batch.is_empty();
        (!batch.is_empty()).then_some(batch)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut waiting = self.0.lock();
            waiting.is_busy = false;
            // Their answers say that the store broke down.
            waiting.knocks.clear();
        }
    }
}
