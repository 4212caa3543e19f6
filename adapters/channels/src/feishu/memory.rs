//! What came before, also before a restart: Feishu sends again what it has no answer for, up to six hours later.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmgate::AccountKey;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::backoff::wait;
use crate::dedupe::Dedupe;
use crate::kept::{Keeper, Kept};

/// How many ids are remembered in one run, and how many over a restart.
const REMEMBERED: usize = 16_384;
const KEPT: usize = 2_048;

/// How often what came is saved.
const PACE: Duration = Duration::from_secs(1);

/// The ids of what came.
pub(super) struct Memory {
    kept: Kept<Place>,
    /// `None` until what is kept is loaded.
    seen: OnceCell<Dedupe<String>>,
    /// What came since the last save.
    fresh: Mutex<Vec<String>>,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The ids of what was taken, the last at the end.
    taken: VecDeque<String>,
}

impl Memory {
    pub(super) fn new(account: AccountKey, keeper: Arc<dyn Keeper>) -> Self {
        Self { kept: Kept::new(account, keeper), seen: OnceCell::new(), fresh: Mutex::default() }
    }

    /// Notes an id; `false` if it was noted before.
    pub(super) async fn is_new(&self, id: &str) -> bool {
        let load = || async {
            let seen = Dedupe::new(REMEMBERED);
            for id in self.kept.look(|place| place.taken.clone()).await {
                seen.is_new(id);
            }
            seen
        };
        self.seen.get_or_init(load).await.is_new(id.to_owned())
    }

    /// Something was taken, and will be remembered.
    pub(super) fn taken(&self, id: &str) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
    }

    /// Saves what came, until it has `ended`. What is saved has waited for a moment: a web hook's messages are taken
    /// after they are handed over, and what was not taken must come again.
    pub(super) async fn keep(&self, ended: &CancellationToken) {
        let mut ripe = Vec::new();
        loop {
            let goes_on = wait(PACE, ended).await;
            self.save(take(&mut ripe)).await;
            ripe = take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
            if !goes_on {
                return self.save(ripe).await;
            }
        }
    }

    async fn save(&self, ids: Vec<String>) {
        let change = |place: &mut Place| {
            place.taken.extend(ids);
            place.taken.drain(..place.taken.len().saturating_sub(KEPT));
        };
        self.kept.change(change).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::{KEPT_LIMIT, MemoryKeeper};

    fn memory(keeper: &Arc<MemoryKeeper>) -> Memory {
        let account = AccountKey::parse("feishu", "default").unwrap();
        Memory::new(account, Arc::clone(keeper) as Arc<dyn Keeper>)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_remembered_over_a_restart_and_what_was_not_is_new() {
        let keeper = Arc::new(MemoryKeeper::default());
        let (first, ended) = (memory(&keeper), CancellationToken::new());
        let run = async {
            assert!(first.is_new("om_1").await && !first.is_new("om_1").await && first.is_new("om_2").await);
            first.taken("om_1");
            // Saved by itself, after a moment.
            tokio::time::sleep(PACE * 3).await;
            assert!(!memory(&keeper).is_new("om_1").await);
            first.taken("om_3");
            ended.cancel();
        };
        tokio::join!(first.keep(&ended), run);
        let second = memory(&keeper);
        assert!(!second.is_new("om_1").await && !second.is_new("om_3").await && second.is_new("om_2").await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_has_a_bound() {
        let keeper = Arc::new(MemoryKeeper::default());
        let (memory, ended) = (memory(&keeper), CancellationToken::new());
        for number in 0..20_000 {
            let id = format!("{number:064}");
            assert!(memory.is_new(&id).await);
            memory.taken(&id);
        }
        ended.cancel();
        memory.keep(&ended).await;
        let kept = keeper.load().await.unwrap().unwrap();
        assert!(kept.len() < KEPT_LIMIT / 2 && kept.contains(&format!("{:064}", 19_999)), "{}", kept.len());
        assert_eq!(memory.seen.get().unwrap().len(), REMEMBERED);
    }
}
