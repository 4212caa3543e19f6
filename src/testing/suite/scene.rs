//! A store under test, and the short words for what is done with it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a suite says what is wrong by a panic"
)]

use std::sync::Arc;
use std::time::Duration;

use super::super::ManualClock;
use super::Subject;
use crate::decision::Reason;
use crate::message::{AccountKey, ReplyRoute, Sender, SenderId, Strength};
use crate::pairing::{
    Approval, ApproveError, Handover, Knock, Knocked, PairingCode, Request, Surface, Target,
};
use crate::policy::Limits;
use crate::store::{Actor, OperatorError, Revoked, Snapshot, Store};

pub(super) struct Scene {
    subject: Subject,
    /// The same data as another process sees it, where there can be one.
    other: Option<Arc<dyn Store>>,
    pub(super) limits: Limits,
}

/// An account of a channel whose ids are taken as they are.
pub(super) fn account(channel: &str, account: &str) -> AccountKey {
    AccountKey::parse(channel, account).unwrap()
}

pub(super) fn alpha() -> AccountKey {
    account("alpha", "default")
}

pub(super) fn id(text: &str) -> SenderId {
    SenderId::parse(alpha().channel(), text).unwrap()
}

pub(super) fn actor() -> Actor {
    Actor { name: "suite".into(), surface: Surface::Local }
}

/// A code that nobody was given.
pub(super) fn wrong_code(given: &[&Request]) -> Target {
    let mut codes = ["AAAAAAAA", "BBBBBBBB", "CCCCCCCC", "DDDDDDDD"].into_iter();
    let free = |text: &&str| !given.iter().any(|request| request.code.reveal() == *text);
    Target::Code(PairingCode::parse(codes.find(free).unwrap()).unwrap())
}

/// Who speaks from outside.
pub(super) fn outsider() -> Actor {
    Actor { surface: Surface::Remote, ..actor() }
}

pub(super) fn approval(target: Target) -> Approval {
    Approval { target, account: None, notify: false }
}

impl Scene {
    pub(super) fn of(subject: Subject) -> Self {
        let other = subject.again.as_ref().map(|again| again());
        Self { subject, other, limits: Limits::default() }
    }

    pub(super) fn clock(&self) -> &ManualClock {
        &self.subject.clock
    }

    pub(super) fn minutes(&self, minutes: u64) {
        self.clock().advance(Duration::from_secs(minutes * 60));
    }

    pub(super) fn a_moment(&self) {
        self.clock().advance(Duration::from_millis(1));
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.subject.store
    }

    /// Who does the next step where it must not matter who does: another process, if there can be one.
    pub(super) fn elsewhere(&self) -> &Arc<dyn Store> {
        self.other.as_ref().unwrap_or(&self.subject.store)
    }

    /// The store itself, another handle on its data, and one that was opened just now.
    pub(super) fn views(&self) -> Vec<Arc<dyn Store>> {
        let fresh = self.subject.again.as_ref().map(|again| again());
        [Some(Arc::clone(self.store())), self.other.clone(), fresh].into_iter().flatten().collect()
    }

    pub(super) async fn knock_by(&self, store: &Arc<dyn Store>, at: &AccountKey, ids: &[&str]) -> Knocked {
        let aliases = ids[1..].iter().map(|alias| id(alias)).collect();
        let knock = Knock {
            account: at.account().clone(),
            sender: Sender::with_parts(id(ids[0]), aliases, Strength::Authenticated, Some("Ann")),
            route: ReplyRoute::new("route"),
            source: None,
            meta: vec![("name".into(), "Ann".into())],
            limits: self.limits,
            handover: Handover::Outbox,
        };
        store.knock(at.channel(), knock).await.unwrap()
    }

    /// A sender (the primary id, then aliases) knocks.
    pub(super) async fn knock(&self, at: &AccountKey, ids: &[&str]) -> Knocked {
        self.knock_by(self.store(), at, ids).await
    }

    /// A sender knocks and gets a code.
    pub(super) async fn code(&self, at: &AccountKey, ids: &[&str]) -> Request {
        match self.knock(at, ids).await {
            Knocked::Issued(request) => request,
            other => panic!("{ids:?} was to get a code on {at}: {other:?}"),
        }
    }

    /// A sender knocks and gets none, whoever is asked.
    pub(super) async fn refused(&self, at: &AccountKey, ids: &[&str], reason: Reason) {
        for store in self.views() {
            match self.knock_by(&store, at, ids).await {
                Knocked::Refused(said) => assert_eq!(said, reason, "{ids:?} on {at}"),
                other => panic!("{ids:?} was to be refused on {at}: {other:?}"),
            }
        }
    }

    pub(super) async fn approve_by(
        &self,
        store: &Arc<dyn Store>,
        at: &AccountKey,
        approval: Approval,
    ) -> Result<Request, ApproveError> {
        operator(store.approve(at.channel(), approval, &actor()).await)
    }

    pub(super) async fn approve(&self, at: &AccountKey, target: Target) -> Result<Request, ApproveError> {
        self.approve_by(self.store(), at, approval(target)).await
    }

    /// An approval from outside.
    pub(super) async fn guess(&self, at: &AccountKey, target: Target) -> Result<Request, ApproveError> {
        operator(self.elsewhere().approve(at.channel(), approval(target), &outsider()).await)
    }

    pub(super) async fn reject(&self, at: &AccountKey, target: Target, block: bool) -> Request {
        let rejection = approval(target);
        operator(self.store().reject(at.channel(), rejection, block, &actor()).await).unwrap()
    }

    pub(super) async fn allow(&self, at: &AccountKey, who: &str) -> Result<bool, ApproveError> {
        operator(self.elsewhere().allow(at, &id(who), &actor()).await)
    }

    pub(super) async fn revoke(&self, at: &AccountKey, who: &str) -> Revoked {
        self.elsewhere().revoke(at, &id(who), &actor()).await.unwrap()
    }

    pub(super) async fn block(&self, at: &AccountKey, who: &str) -> bool {
        self.elsewhere().block(at, &id(who), &actor()).await.unwrap()
    }

    pub(super) async fn unblock(&self, at: &AccountKey, who: &str) -> bool {
        self.store().unblock(at, &id(who), &actor()).await.unwrap()
    }

    /// The state as each view has it.
    pub(super) async fn snapshots(&self, at: &AccountKey) -> Vec<Arc<Snapshot>> {
        let mut snapshots = Vec::new();
        for store in self.views() {
            snapshots.push(store.load(at).await.snapshot);
        }
        snapshots
    }

    /// Whether a sender is on the account's list; every view says the same.
    pub(super) async fn is_in(&self, at: &AccountKey, who: &str) -> bool {
        let snapshots = self.snapshots(at).await;
        let is_in = |snapshot: &Arc<Snapshot>| snapshot.allowed.as_ref().unwrap().contains(&id(who));
        let first = is_in(&snapshots[0]);
        assert!(snapshots.iter().all(|snapshot| is_in(snapshot) == first), "all see the same of {who}");
        first
    }

    /// Who waits on a channel, oldest first; every view says the same.
    pub(super) async fn waiting(&self, at: &AccountKey) -> Vec<Request> {
        let mut lists = Vec::new();
        for store in self.views() {
            lists.push(store.pending(at.channel()).await.unwrap());
        }
        let told = |list: &[Request]| -> Vec<(String, String)> {
            list.iter().map(|r| (r.request.to_string(), r.code.reveal().to_owned())).collect()
        };
        assert!(lists.iter().all(|list| told(list) == told(&lists[0])), "all see the same requests");
        lists.swap_remove(0)
    }
}

pub(super) fn operator<T>(result: Result<T, OperatorError>) -> Result<T, ApproveError> {
    match result {
        Ok(done) => Ok(done),
        Err(OperatorError::Refused(error)) => Err(error),
        Err(OperatorError::Store(error)) => panic!("the store failed: {error}"),
    }
}
