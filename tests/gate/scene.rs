//! A gate on a store, and the short words for what happens to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dmgate::pairing::{Approval, PairingCode, Request, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, MemoryStore, OperatorError, Store};
use dmgate::testing::ManualClock;
use dmgate::{
    AccountKey, AccountPolicy, Decision, DmGate, DmPolicy, InboundMessage, Limits, ReplyRoute, Sender,
    SenderId, Strength,
};

/// On what the gate keeps its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    Memory,
    Files,
}

pub(crate) const BOTH: [On; 2] = [On::Memory, On::Files];

pub(crate) struct Scene {
    pub(crate) clock: ManualClock,
    pub(crate) gate: DmGate,
    temp: tempfile::TempDir,
}

pub(crate) fn key(channel: &str, account: &str) -> AccountKey {
    AccountKey::parse(channel, account).unwrap()
}

/// The default account of a channel whose ids are taken as they are.
pub(crate) fn alpha() -> AccountKey {
    key("alpha", "default")
}

pub(crate) fn id(text: &str) -> SenderId {
    SenderId::parse(alpha().channel(), text).unwrap()
}

pub(crate) fn actor() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

/// A primary id, then aliases.
pub(crate) fn sender(ids: &[&str]) -> Sender {
    let aliases = ids[1..].iter().map(|alias| id(alias)).collect();
    Sender::with_parts(id(ids[0]), aliases, Strength::Authenticated, Some("Ann"))
}

/// A plain direct message.
pub(crate) fn message(at: &AccountKey, ids: &[&str]) -> InboundMessage {
    InboundMessage { route: ReplyRoute::new("r"), ..InboundMessage::direct(at.clone(), sender(ids), "hello") }
}

pub(crate) fn policy(dm: DmPolicy, allow_from: &[&str]) -> AccountPolicy {
    limited(dm, allow_from, Limits::default())
}

pub(crate) fn limited(dm: DmPolicy, allow_from: &[&str], limits: Limits) -> AccountPolicy {
    AccountPolicy::new(alpha().channel(), dm, allow_from.iter().copied(), limits).unwrap()
}

impl Scene {
    pub(crate) fn new(on: On) -> Self {
        // In memory where there is a place: many scenes, and nothing here is about lost power.
        let temp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let clock = ManualClock::now();
        let store: Arc<dyn Store> = match on {
            On::Memory => Arc::new(MemoryStore::new(clock.world())),
            On::Files => {
                Arc::new(FileStore::open(FileOptions::new(temp.path().join("s")), clock.world()).unwrap())
            }
        };
        let gate = DmGate::builder().world(clock.world()).shared_store(store).build();
        Self { clock, gate, temp }
    }

    /// Gives every account this policy.
    pub(crate) fn with(self, policy: AccountPolicy) -> Self {
        self.gate.set_policies([], policy);
        self
    }

    /// Another gate on the same files, as in another process, or as this one after a restart.
    pub(crate) fn another(&self) -> Self {
        self.another_at(self.clock.clone())
    }

    /// As [`Scene::another`], by another clock.
    pub(crate) fn another_at(&self, clock: ManualClock) -> Self {
        let store = FileStore::open(FileOptions::new(self.temp.path().join("s")), clock.world()).unwrap();
        let gate = DmGate::builder().world(clock.world()).store(store).build();
        Self { clock, gate, temp: tempfile::tempdir().unwrap() }
    }

    /// The files' directory.
    pub(crate) fn dir(&self) -> PathBuf {
        self.state().join("credentials")
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.temp.path().join("s")
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.gate.store()
    }

    pub(crate) fn minutes(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    /// The reason that the gate gives for a message, whichever way it is asked.
    pub(crate) async fn verdict(&self, message: &InboundMessage) -> &'static str {
        let reason = self.gate.admit(message).await.reason().as_str();
        if let Some(now) = self.gate.admit_now(message)
            && reason != "pairing_required"
        {
            assert_eq!(now.reason().as_str(), reason, "admit_now");
        }
        reason
    }

    pub(crate) async fn says(&self, ids: &[&str]) -> &'static str {
        self.verdict(&message(&alpha(), ids)).await
    }

    /// A stranger's code.
    pub(crate) async fn code_at(&self, at: &AccountKey, ids: &[&str]) -> PairingCode {
        match self.gate.admit(&message(at, ids)).await {
            Decision::Challenge(challenge) => challenge.code,
            other => panic!("{ids:?} was to get a code: {other:?}"),
        }
    }

    pub(crate) async fn code(&self, ids: &[&str]) -> PairingCode {
        self.code_at(&alpha(), ids).await
    }

    pub(crate) async fn approve(&self, target: Target, surface: Surface) -> Result<Request, OperatorError> {
        let approval = Approval { target, account: None, notify: false };
        let actor = Actor { surface, ..actor() };
        self.store().approve(alpha().channel(), approval, &actor).await
    }

    pub(crate) async fn allow(&self, who: &str) {
        self.store().allow(&alpha(), &id(who), &actor()).await.unwrap();
    }

    pub(crate) async fn revoke(&self, who: &str) {
        self.store().revoke(&alpha(), &id(who), &actor()).await.unwrap();
    }

    pub(crate) async fn block(&self, who: &str) {
        self.store().block(&alpha(), &id(who), &actor()).await.unwrap();
    }
}
