//! What came before, also before a restart: for platforms that send again for hours what they have no answer for, and
//! for signatures that hold for ever, so that a copy is known by its id alone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dmgate::{AccountKey, InboundMessage, Webhook};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use crate::backoff::wait;
use crate::dedupe::{Again, Claim, Dedupe};
use crate::kept::{Keeper, Kept};

/// How many ids are remembered in one run, and how many over a restart.
const REMEMBERED: usize = 16_384;
const KEPT: usize = 2_048;

/// Ids that are longer are not kept: the document has a bound.
const LONGEST: usize = 256;

/// How often what came is saved.
const PACE: Duration = Duration::from_secs(1);

/// The ids of what came.
pub(crate) struct Memory {
    kept: Kept<Place>,
    /// `None` until what is kept is loaded.
    seen: OnceCell<Dedupe<String>>,
    /// Something was taken that is not saved yet.
    changed: Arc<Notify>,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The ids of what was taken, the last at the end.
    taken: Vec<String>,
}

/// The id of an event that is under way.
pub(crate) struct Remembered {
    claim: Claim<String>,
    changed: Arc<Notify>,
}

impl Memory {
    pub(crate) fn new(account: AccountKey, keeper: Arc<dyn Keeper>) -> Self {
        Self { kept: Kept::new(account, keeper), seen: OnceCell::new(), changed: Arc::default() }
    }

    /// Claims the ids of an event; `None` if it was taken before, under whichever of them. While what is kept can't be
    /// read nobody knows, and it has to come again.
    pub(crate) async fn claim(
        &self,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<Option<Remembered>, Again> {
        let load = || async {
            let seen = Dedupe::new(REMEMBERED);
            for id in self.kept.read().await.ok_or(Again)?.taken {
                seen.is_new(id);
            }
            Ok(seen)
        };
        let claim = self.seen.get_or_try_init(load).await?.claim(ids)?;
        Ok(claim.map(|claim| Remembered { claim, changed: Arc::clone(&self.changed) }))
    }

    /// Puts messages into the answer to a web hook, unless their ids were taken before. With the answer they are taken, or
    /// new again. One without an id counts each time.
    pub(crate) async fn answer(
        &self,
        hook: &mut Webhook,
        messages: impl IntoIterator<Item = (Option<String>, InboundMessage)>,
    ) -> Result<(), Again> {
        let mut ids = HashSet::new();
        for (id, message) in messages {
            let Some(id) = id else {
                hook.messages.push(message);
                continue;
            };
            // What stands there twice is not under way elsewhere.
            if ids.insert(id.clone())
                && let Some(claim) = self.claim([id]).await?
            {
                hook.add(message, || claim.taken());
            }
        }
        Ok(())
    }

    /// Saves what was taken while the channel is at `work`, soon after it came.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = T>) -> T {
        let ended = CancellationToken::new();
        let work = async {
            let outcome = work.await;
            ended.cancel();
            outcome
        };
        let save = async {
            loop {
                tokio::select! {
                    () = ended.cancelled() => break,
                    () = self.changed.notified() => drop(wait(PACE, &ended).await),
                }
                self.save().await;
            }
            self.save().await;
        };
        tokio::join!(work, save).0
    }

    /// How many ids are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.seen.get().map_or(0, Dedupe::len)
    }

    async fn save(&self) {
        let Some(seen) = self.seen.get() else { return };
        let mut taken = seen.latest(KEPT);
        taken.retain(|id| id.len() <= LONGEST);
        self.kept.change(|place| place.taken = taken).await;
    }
}

impl Remembered {
    /// The gate has the event: its id is remembered.
    pub(crate) fn taken(self) {
        self.claim.taken();
        self.changed.notify_one();
    }

    /// Puts the event's message into the answer to a web hook, with which it is taken or new again.
    pub(crate) fn answer(self, hook: &mut Webhook, message: InboundMessage) {
        hook.add(message, || self.taken());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::kept::{KEPT_LIMIT, MemoryKeeper};

    fn memory(keeper: &Arc<MemoryKeeper>) -> Memory {
        let account = AccountKey::parse("feishu", "default").unwrap();
        Memory::new(account, Arc::clone(keeper) as Arc<dyn Keeper>)
    }

    async fn is_new(memory: &Memory, id: &str) -> bool {
        memory.claim([id.to_owned()]).await.is_ok_and(|claim| claim.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_remembered_over_a_restart_and_what_was_not_is_new() {
        let keeper = Arc::new(MemoryKeeper::default());
        let (first, ended) = (memory(&keeper), CancellationToken::new());
        let run = async {
            let waits = first.claim(["om_2".to_owned()]).await.unwrap().unwrap();
            first.claim(["om_1".to_owned()]).await.unwrap().unwrap().taken();
            assert!(!is_new(&first, "om_1").await && !is_new(&first, "om_2").await);
            // Saved by itself, after a moment; however long the other one waits, it is not.
            sleep(PACE * 60).await;
            assert!(!is_new(&memory(&keeper), "om_1").await && is_new(&memory(&keeper), "om_2").await);
            first.claim(["om_3".to_owned()]).await.unwrap().unwrap().taken();
            ended.cancel();
            drop(waits);
        };
        tokio::join!(first.keep(ended.cancelled()), run);
        let second = memory(&keeper);
        assert!(!is_new(&second, "om_1").await && !is_new(&second, "om_3").await);
        assert!(is_new(&second, "om_2").await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_has_a_bound_whether_or_not_anybody_saves_it() {
        let keeper = Arc::new(MemoryKeeper::default());
        let memory = memory(&keeper);
        memory.claim(["x".repeat(KEPT_LIMIT)]).await.unwrap().unwrap().taken();
        for number in 0..20_000 {
            memory.claim([format!("{number:0256}")]).await.unwrap().unwrap().taken();
        }
        assert_eq!(memory.len(), REMEMBERED);
        memory.keep(async {}).await;
        let kept = keeper.load().await.unwrap().unwrap();
        assert!(kept.len() < KEPT_LIMIT && kept.contains(&format!("{:0256}", 19_999)), "{}", kept.len());
    }
}
