//! The gate's protocols: which state a decision rests on.

#[path = "../../../src/gate/account.rs"]
mod account;
pub mod decisions;
#[path = "../../../src/gate/recent.rs"]
mod recent;

pub use grant::Grant;

mod grant {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::account::Account;
    use crate::decision::Reason;
    use crate::message::SenderIds;

    pub struct Grant;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct AccountNumber(u64);

    impl Grant {
        pub fn new(_account: AccountNumber, _sender: &SenderIds, _reason: Reason) -> Self {
            Self
        }
    }

    impl AccountNumber {
        pub fn new() -> Self {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            Self(NEXT.fetch_add(1, Ordering::Relaxed))
        }

        pub fn get(self) -> u64 {
            self.0
        }

        pub(super) fn note(self, _account: &Arc<Account>) {}
    }
}
