//! What every store must keep, whoever wrote it.

mod codes;
mod isolation;
mod lists;
mod scene;
mod sendings;
mod time;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use scene::Scene;

use super::ManualClock;
use crate::store::Store;

/// A fresh store, as the author of a store hands it to [`store_suite`].
pub struct Subject {
    /// The store. It takes its time from the clock below, and its randomness from wherever it likes.
    pub store: Arc<dyn Store>,
    /// The store's clock.
    pub clock: ManualClock,
    /// Opens the same data once more, as another process would, or this one when it is started anew. `None` for a store
    /// that forgets.
    pub again: Option<Again>,
    /// Kept until the check is over: a directory, a connection.
    pub kept: Box<dyn Any + Send>,
}

/// Opens the same data once more.
pub type Again = Box<dyn Fn() -> Arc<dyn Store> + Send>;

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Runs every check, each on a fresh store.
///
/// ```
/// use dmgate::store::MemoryStore;
/// use dmgate::testing::{ManualClock, Subject, store_suite};
/// use std::sync::Arc;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(
/// store_suite(|| async {
///     let clock = ManualClock::now();
///     let store = Arc::new(MemoryStore::new(clock.world()));
///     Subject { store, clock, again: None, kept: Box::new(()) }
/// })
/// # );
/// ```
///
/// # Panics
/// When the store does not keep what every store must keep; the place of the panic says what that is.
pub async fn store_suite<F, Fut>(factory: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Subject>,
{
    let next = async || Scene::of(factory().await);
    // Each name begins with the invariant that it is about (see `docs/ARCHITECTURE.md`).
    codes::i5_a_code_works_once_on_its_own_channel_and_account(&next().await).await;
    codes::i6_what_is_handed_out_is_there_for_everyone(&next().await).await;
    codes::i12_five_wrong_codes_from_outside_lock_codes_out(&next().await).await;
    codes::i12_the_local_owner_neither_counts_nor_is_locked_out(&next().await).await;
    codes::i12_a_right_code_ends_a_row_of_wrong_ones(&next().await).await;
    time::i2_an_hour_lies_between_two_codes(&next().await).await;
    time::i2_the_hour_outlives_every_decision(&next().await).await;
    time::i2_the_hour_outlives_a_code_that_works_for_less(next().await).await;
    time::i2_a_clock_that_steps_opens_no_gap(&next().await).await;
    time::i3_a_fourth_stranger_is_refused(&next().await).await;
    time::i3_the_cap_may_count_each_account(next().await).await;
    time::i11_a_refused_stranger_changes_nothing(&next().await).await;
    lists::i4_an_approval_is_there_for_everyone(&next().await).await;
    lists::i4_doing_it_again_is_harmless(&next().await).await;
    lists::i4_a_block_closes_frees_and_holds(&next().await).await;
    lists::i9_a_revocation_is_there_for_everyone(&next().await).await;
    lists::i15_the_first_primary_behind_an_alias_stays(&next().await).await;
    lists::i15_a_listed_alias_that_stays_is_named(&next().await).await;
    lists::i15_ids_are_matched_whole(&next().await).await;
    isolation::i8_accounts_and_channels_do_not_touch_each_other(&next().await).await;
    isolation::i8_an_approval_writes_its_own_account(&next().await).await;
    isolation::i1_a_change_is_another_revision(&next().await).await;
    isolation::i1_a_change_wakes_who_waits(&next().await).await;
    isolation::i7_nothing_is_no_trouble(&next().await).await;
    sendings::i6_a_code_is_kept_until_it_arrived(&next().await).await;
    sendings::i6_a_decided_code_is_not_sent_any_more(&next().await).await;
    sendings::i6_a_notice_is_kept_for_who_was_let_in(&next().await).await;
}
