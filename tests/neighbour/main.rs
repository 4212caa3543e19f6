//! dmgate and OpenClaw 2026.3.28, its real program, on one state directory at the same time.
//!
//! `tests/peers/install.sh` puts OpenClaw on the machine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test edits files as another program would")]

mod devices;
mod lists;
mod locks;
mod requests;
mod together;

use std::path::PathBuf;

use dmgate::pairing::{Approval, PairingCode, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, Store};
use dmgate::{AccountKey, Challenge, Decision, DmGate, InboundMessage, Sender, SenderId, World};
use dmgate_test_peers::OpenClaw;

/// A state directory that both programs use.
struct House {
    state: tempfile::TempDir,
    openclaw: OpenClaw,
}

impl House {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let openclaw = OpenClaw::at(state.path());
        std::fs::create_dir(openclaw.credentials()).unwrap();
        Self { state, openclaw }
    }

    /// Our store, as another program of ours would open it.
    fn store(&self, world: World) -> FileStore {
        let shared_with_openclaw = true;
        let options = FileOptions { shared_with_openclaw, ..FileOptions::new(self.state.path()) };
        FileStore::open(options, world).unwrap()
    }

    fn gate(&self) -> DmGate {
        DmGate::builder().store(self.store(World::default())).build()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.openclaw.credentials().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// What is in the directory beside the documents.
    fn leftovers(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.openclaw.credentials()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json.lock") || name.ends_with(".tmp")).collect()
    }
}

fn account(name: &str) -> AccountKey {
    AccountKey::parse("telegram", name).unwrap()
}

fn sender(id: &str) -> SenderId {
    SenderId::parse(account("default").channel(), id).unwrap()
}

fn message(of: &str, id: &str) -> InboundMessage {
    InboundMessage::direct(account(of), Sender::new(sender(id)), "hi")
}

fn owner() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

fn by_code(code: &str) -> Approval {
    let target = Target::Code(PairingCode::parse(code).unwrap());
    Approval { target, account: None, notify: false }
}

async fn approve(store: &dyn Store, code: &str) -> String {
    store.approve(account("default").channel(), by_code(code), &owner()).await.unwrap().id.to_string()
}

async fn challenge(gate: &DmGate, of: &str, id: &str) -> Challenge {
    match gate.admit(&message(of, id)).await {
        Decision::Challenge(challenge) => challenge,
        other => panic!("no code for {id}: {other:?}"),
    }
}

async fn is_in(gate: &DmGate, of: &str, id: &str) -> bool {
    matches!(gate.admit(&message(of, id)).await, Decision::Admit(_))
}
