//! A gate on files in a directory of its own, and what it says.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dmgate::pairing::{Approval, PairingCode, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, Snapshot, Store};
use dmgate::testing::ManualClock;
use dmgate::{AccountKey, Decision, DmGate, InboundMessage, Sender, SenderId, Strength, Timestamp};
use tokio::runtime::{Builder, Runtime};

pub(crate) const ALLOWED: &str = "credentials/alpha-allowFrom.json";
pub(crate) const PENDING: &str = "credentials/alpha-pairing.json";
pub(crate) const RECORD: &str = "credentials/alpha-dmgate.jsonl";
pub(crate) const AUDIT: &str = "audit.jsonl";

/// When all of it happens.
pub(crate) const NOW: &str = "2026-03-01T00:30:00.000Z";

/// What the gate says where a file can't be trusted.
pub(crate) const UNREADABLE: &str = "store_unreadable";

pub(crate) struct Scene {
    gate: DmGate,
    temp: tempfile::TempDir,
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
}

/// Does it on this thread's runtime.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

pub(crate) fn alpha() -> AccountKey {
    AccountKey::parse("alpha", "default").unwrap()
}

pub(crate) fn work() -> AccountKey {
    AccountKey::parse("alpha", "work").unwrap()
}

pub(crate) fn id(text: &str) -> SenderId {
    SenderId::parse(alpha().channel(), text).unwrap()
}

pub(crate) fn actor() -> Actor {
    Actor { name: "fuzz".into(), surface: Surface::Local }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

pub(crate) fn temp() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.unwrap().write_all(bytes).unwrap();
}

/// The first of these texts that can be ids, and some that are nearly one of them.
pub(crate) fn near(texts: impl Iterator<Item = String>) -> HashSet<SenderId> {
    let parse = |text: &str| SenderId::parse_entry(alpha().channel(), text).ok();
    let around = |text: String| {
        let shorter = text.chars().skip(1).collect::<String>();
        [format!("{text}0"), shorter, text.to_uppercase(), text]
    };
    texts.take(12).flat_map(around).filter_map(|text| parse(&text)).collect()
}

impl Scene {
    /// A state directory with these files in it.
    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let temp = temp();
        let clock = ManualClock::at(now().as_millis());
        let options = FileOptions { watch: false, ..FileOptions::new(temp.path()) };
        let store = FileStore::open(options, clock.world()).unwrap();
        for (name, bytes) in files {
            put(&temp.path().join(name), bytes);
        }
        Self { gate: DmGate::builder().world(clock.world()).store(store).build(), temp }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.gate.store()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// A file as it is now; nothing where there is none.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        wait(self.store().load(&alpha())).snapshot
    }

    pub(crate) fn admit(&self, at: &AccountKey, ids: &[&SenderId]) -> Decision {
        let aliases = ids[1..].iter().map(|id| (*id).clone()).collect();
        let sender = Sender::with_parts(ids[0].clone(), aliases, Strength::Authenticated, None);
        wait(self.gate.admit(&InboundMessage::direct(at.clone(), sender, "hello")))
    }

    pub(crate) fn says(&self, ids: &[&SenderId]) -> &'static str {
        self.admit(&alpha(), ids).reason().as_str()
    }

    pub(crate) fn approve(&self, target: Target) -> Option<dmgate::pairing::Request> {
        let approval = Approval { target, account: None, notify: false };
        wait(self.store().approve(alpha().channel(), approval, &actor())).ok()
    }

    /// Whatever the owner may try. What comes of it is not asked here.
    pub(crate) fn try_everything(&self) {
        let (store, new) = (self.store(), id("new"));
        wait(async {
            let _ = store.allow(&alpha(), &new, &actor()).await;
            let _ = store.revoke(&alpha(), &new, &actor()).await;
            let _ = store.block(&alpha(), &new, &actor()).await;
            let _ = store.unblock(&alpha(), &new, &actor()).await;
            let _ = store.bind(&alpha(), &id("alias"), &new).await;
            let _ = store.pending(alpha().channel()).await;
            let approval = Approval { target: Target::Sender(id("waits")), account: None, notify: true };
            let _ = store.reject(alpha().channel(), approval, true, &actor()).await;
        });
        self.approve(Target::Code(PairingCode::parse("ABCDEFGH").unwrap()));
        self.says(&[&new]);
    }
}
