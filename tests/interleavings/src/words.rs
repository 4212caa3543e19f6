//! The words of the domain, as far as the played sources say them. What an account allows is one number here: the higher,
//! the later it was written.

use std::sync::Arc;

pub mod allowlist {
    pub struct IdSet;

    impl<'a> FromIterator<&'a u64> for IdSet {
        fn from_iter<I: IntoIterator<Item = &'a u64>>(_ids: I) -> Self {
            Self
        }
    }
}

pub mod clock {
    pub trait Clock: Send + Sync {
        fn ticks(&self) -> u64;
    }
}

pub mod decision {
    use crate::gate::Grant;

    #[derive(Clone, Copy)]
    pub struct Reason;
    pub struct Permit;
    pub enum Decision {
        Admit(Permit),
    }
    #[derive(Clone)]
    pub struct Fault;

    impl Permit {
        pub fn new(_grant: Grant) -> Self {
            Self
        }
    }

    impl Fault {
        pub fn unreadable(_why: &str) -> Self {
            Self
        }
    }
}

pub mod message {
    pub struct AccountKey;
    pub struct SenderIds;
    pub struct Sender;
    pub struct InboundMessage {
        pub sender: Sender,
    }

    impl Sender {
        pub fn known_by(&self) -> &SenderIds {
            &SenderIds
        }
    }
}

pub mod observe {
    use super::decision::{Decision, Reason};
    use super::message::InboundMessage;

    pub fn admitted(_message: &InboundMessage, _reason: Reason) {}

    pub fn decided(_message: &InboundMessage, _decision: &Decision, _is_loud: impl FnOnce() -> bool) {}
}

pub mod pairing {
    /// Who knocks.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Knock(pub u64);

    /// The code that they have.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Knocked(pub u64);
}

pub mod policy {
    use std::time::Duration;

    #[derive(Clone, Copy)]
    pub enum Freshness {
        Exact,
        Bounded(Duration),
    }

    pub struct Limits {
        pub freshness: Freshness,
    }

    pub struct AccountPolicy {
        pub number: u64,
        pub limits: Limits,
    }

    impl AccountPolicy {
        pub fn new(number: u64, freshness: Freshness) -> Self {
            Self { number, limits: Limits { freshness } }
        }

        pub fn allow_from(&self) -> &[u64] {
            &[]
        }

        pub fn limits(&self) -> &Limits {
            &self.limits
        }
    }
}

pub mod store {
    use std::future::Ready;

    use super::Arc;
    use super::decision::Fault;
    use super::message::AccountKey;

    pub struct Snapshot(pub u64);

    pub struct Loaded {
        pub revision: Option<u64>,
        pub snapshot: Arc<Snapshot>,
    }

    pub trait Store: Send + Sync {
        fn revision(&self, account: &AccountKey) -> Option<u64>;

        fn load(&self, account: &AccountKey) -> Ready<Loaded>;
    }

    #[derive(Clone, Debug)]
    pub struct StoreError;

    impl Snapshot {
        pub fn unavailable(_fault: &Fault) -> Self {
            Self(0)
        }
    }

    impl From<Fault> for StoreError {
        fn from(_fault: Fault) -> Self {
            Self
        }
    }
}
