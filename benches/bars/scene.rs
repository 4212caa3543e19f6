//! A gate on files, and messages that each meet one kind of decision.
#![allow(dead_code, reason = "shared by programs that each use their part")]

use std::future::Future as _;
use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use dmgate::store::{FileOptions, FileStore};
use dmgate::{
    AccountHandle, AccountKey, AccountPolicy, Conversation, DmGate, DmPolicy, Freshness, InboundMessage,
    Limits, ReplyRoute, Sender, SenderId, World,
};

/// One kind of decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Situation {
    KnownBounded,
    KnownExact,
    /// A stranger who waits for the owner.
    Pending,
    /// A stranger who meets full slots.
    OverCap,
    Group,
}

impl Situation {
    pub(crate) const ALL: [Self; 5] =
        [Self::KnownBounded, Self::KnownExact, Self::Pending, Self::OverCap, Self::Group];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KnownBounded => "known sender, bounded",
            Self::KnownExact => "known sender, exact",
            Self::Pending => "stranger who is pending, exact",
            Self::OverCap => "stranger over the cap, exact",
            Self::Group => "message of a group",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|situation| situation.name() == name)
    }

    /// The word of the decision.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::KnownBounded | Self::KnownExact => "allowlisted",
            Self::Pending => "already_pending",
            Self::OverCap => "pending_full",
            Self::Group => "not_direct",
        }
    }

    fn freshness(self) -> Freshness {
        match self {
            Self::KnownBounded => Freshness::Bounded(Duration::from_secs(60)),
            _ => Freshness::Exact,
        }
    }
}

/// How the gate is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    GateNow,
    AccountNow,
    /// The future, polled once: where no I/O is needed, it is ready then.
    Gate,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::GateNow, Self::AccountNow, Self::Gate];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GateNow => "`DmGate::admit_now`",
            Self::AccountNow => "`AccountHandle::admit_now`",
            Self::Gate => "`DmGate::admit`",
        }
    }
}

pub(crate) struct Scene {
    pub(crate) gate: DmGate,
    accounts: Vec<AccountHandle>,
    /// Each with the number of its account, in an order that no list has.
    pub(crate) messages: Vec<(usize, InboundMessage)>,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// 16 accounts with a thousand senders each.
    pub(crate) fn new(situation: Situation) -> Self {
        Self::of(situation, 16, 1_000, World::default())
    }

    pub(crate) fn of(situation: Situation, accounts: usize, senders: usize, world: World) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<AccountKey> = (0..accounts).map(account).collect();
        for (number, key) in keys.iter().enumerate() {
            list(dir.path(), key, (0..senders).map(|sender| known(number * senders + sender)));
        }
        let gate = open(dir.path(), situation.freshness(), world);
        let messages = in_disorder(accounts * senders).into_iter().map(|number| {
            let (at, text) = match situation {
                Situation::KnownBounded | Situation::KnownExact | Situation::Group => {
                    (number / senders, known(number))
                }
                Situation::Pending => (0, "5".to_owned()),
                Situation::OverCap => (number / senders, (100 + number).to_string()),
            };
            let direct = hello(&keys[at], &text);
            match situation {
                Situation::Group => (at, InboundMessage { conversation: Conversation::Group, ..direct }),
                _ => (at, direct),
            }
        });
        let messages: Vec<_> = messages.collect();
        let runtime = runtime();
        for stranger in ["5", "6", "7"] {
            drop(runtime.block_on(gate.admit(&hello(&keys[0], stranger))));
        }
        for (_, message) in &messages {
            assert_eq!(runtime.block_on(gate.admit(message)).reason().as_str(), situation.reason());
        }
        let accounts = keys.iter().map(|key| gate.account(key)).collect();
        Self { gate, accounts, messages, _dir: dir }
    }

    /// Decides on each of these, without I/O. The answers are looked at where they are, as by a `match`.
    #[inline]
    pub(crate) fn ask_all(&self, way: Way, messages: &[(usize, InboundMessage)]) {
        for (at, message) in messages {
            let (at, message) = (*at, black_box(message));
            match way {
                Way::GateNow => assert!(black_box(&self.gate.admit_now(message)).is_some()),
                Way::AccountNow => assert!(black_box(&self.accounts[at].admit_now(message)).is_some()),
                Way::Gate => {
                    let answer = pin!(self.gate.admit(message)).poll(&mut Context::from_waker(Waker::noop()));
                    assert!(black_box(&answer).is_ready());
                }
            }
        }
    }
}

pub(crate) fn account(number: usize) -> AccountKey {
    AccountKey::parse("telegram", &format!("bot{number}")).unwrap()
}

/// The id of a known sender: no two accounts share one.
pub(crate) fn known(number: usize) -> String {
    (1_000_000_000 + 7_919 * number).to_string()
}

pub(crate) fn hello(at: &AccountKey, text: &str) -> InboundMessage {
    let sender = Sender::new(SenderId::parse(at.channel(), text).unwrap());
    let route = ReplyRoute::new(text);
    InboundMessage { route, ..InboundMessage::direct(at.clone(), sender, "hi") }
}

/// All numbers below `many`, each once, in an order that looks random and is the same in every run.
pub(crate) fn in_disorder(many: usize) -> Vec<usize> {
    let hasher = foldhash::fast::FixedState::default();
    let mut numbers: Vec<usize> = (0..many).collect();
    numbers.sort_by_cached_key(|number| hasher.hash_one(number));
    numbers
}

pub(crate) fn open(state: &Path, freshness: Freshness, world: World) -> DmGate {
    let store = FileStore::open(FileOptions::new(state), world.clone()).unwrap();
    let policy =
        AccountPolicy::with_limits(DmPolicy::Pairing, Limits { freshness, ..Limits::default() }).unwrap();
    DmGate::builder().world(world).store(store).policy(policy).build()
}

/// Writes the list of an account, as another program would, in one step.
pub(crate) fn list(state: &Path, account: &AccountKey, ids: impl Iterator<Item = String>) {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let credentials = state.join("credentials");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&credentials).unwrap();
    let name = format!("{}-{}-allowFrom.json", account.channel().as_str(), account.account().as_str());
    let temp = credentials.join(format!("{name}.new"));
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temp);
    let ids: Vec<String> = ids.collect();
    let text = serde_json::json!({ "version": 1, "allowFrom": ids }).to_string();
    std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
    rustix::fs::rename(temp, credentials.join(name)).unwrap();
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}
