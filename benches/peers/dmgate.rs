//! dmgate over files, doing what the drivers beside this file make the peers do.
//!
//! `benches/peers/run.sh` runs all; `cargo bench --bench peers -- dmgate SENDERS FOLDER` prints dmgate's lines alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

mod measure;

use std::fs::{self, Permissions};
use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use dmgate::pairing::{Approval, PairingCode, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore};
use dmgate::{
    AccountKey, AccountPolicy, Decision, DmGate, DmPolicy, Freshness, InboundMessage, Limits, Reason, Sender,
    SenderId, World,
};
use tokio::runtime::Runtime;

/// As many as the peers do at most.
const PAIRS: usize = 25;
/// Messages of known senders that are looked at in turn.
const TURNS: usize = 1_024;

struct Scene {
    runtime: Runtime,
    gate: DmGate,
    account: AccountKey,
    strangers: u64,
}

impl Scene {
    /// A gate over a folder in whose list there are so many senders.
    fn new(folder: &Path, senders: usize, freshness: Freshness) -> Self {
        let account = AccountKey::parse("telegram", "default").unwrap();
        let store = FileStore::open(FileOptions::new(folder), World::default()).unwrap();
        let list = folder.join("credentials/telegram-default-allowFrom.json");
        let known: Vec<String> = (0..senders).map(measure::known).collect();
        fs::write(&list, serde_json::json!({ "version": 1, "allowFrom": known }).to_string()).unwrap();
        fs::set_permissions(&list, Permissions::from_mode(0o600)).unwrap();
        let limits = Limits { freshness, ..Limits::default() };
        let policy = AccountPolicy::new(account.channel(), DmPolicy::Pairing, [], limits).unwrap();
        let gate = DmGate::builder().store(store).account(account.clone(), policy).build();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { runtime, gate, account, strangers: 5_000_000_000 }
    }

    fn message(&self, sender: &str) -> InboundMessage {
        let id = SenderId::parse(self.account.channel(), sender).unwrap();
        InboundMessage::direct(self.account.clone(), Sender::new(id), "hi")
    }

    fn stranger(&mut self) -> InboundMessage {
        self.strangers += 1;
        self.message(&self.strangers.to_string())
    }

    fn decide(&self, message: &InboundMessage) -> Decision {
        self.runtime.block_on(self.gate.admit(message))
    }

    fn knock(&self, message: &InboundMessage) -> PairingCode {
        let decision = self.decide(message);
        let Decision::Challenge(challenge) = decision else { panic!("no code: {decision:?}") };
        challenge.code
    }

    fn approve(&self, code: PairingCode) {
        let approval = Approval { target: Target::Code(code), account: None, notify: false };
        let actor = Actor { name: "bench".into(), surface: Surface::Local };
        let approved = self.gate.store().approve(self.account.channel(), approval, &actor);
        self.runtime.block_on(approved).unwrap();
    }

    /// Decides about these messages in turn, so many times.
    fn repeat(&self, messages: &[InboundMessage], calls: usize, is_right: impl Fn(&Decision) -> bool) {
        self.runtime.block_on(async {
            for message in messages.iter().cycle().take(calls) {
                let decision = self.gate.admit(black_box(message)).await;
                assert!(is_right(&decision), "{decision:?}");
            }
        });
    }
}

fn play(system: &str, folder: &Path, senders: usize, freshness: Freshness) {
    let mut scene = Scene::new(folder, senders, freshness);
    let sample = |work: &str, run: &mut dyn FnMut(usize)| measure::measure(system, senders, work, run);

    let known: Vec<_> = (0..TURNS).map(|turn| scene.message(&measure::known(turn * 31 % senders))).collect();
    sample("known", &mut |calls| scene.repeat(&known, calls, |is| matches!(is, Decision::Admit(_))));

    let (mut issues, mut approvals) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let stranger = scene.stranger();
        let begin = Instant::now();
        let code = scene.knock(&stranger);
        let issued = Instant::now();
        scene.approve(code);
        if pair > 0 {
            // The first warms up.
            issues.push(issued - begin);
            approvals.push(issued.elapsed());
        }
    }
    measure::report(system, senders, "issue", issues);
    measure::report(system, senders, "approve", approvals);

    let waiting: Vec<_> = (0..3).map(|_| scene.stranger()).collect();
    for stranger in &waiting {
        scene.knock(stranger);
    }
    let ignored =
        |reason: Reason| move |is: &Decision| matches!(is, Decision::Ignore(is) if is.reason == reason);
    sample("pending", &mut |calls| scene.repeat(&waiting[..1], calls, ignored(Reason::AlreadyPending)));
    let others: Vec<_> = (0..TURNS).map(|_| scene.stranger()).collect();
    sample("over cap", &mut |calls| scene.repeat(&others, calls, ignored(Reason::PendingFull)));
}

fn main() {
    let Some((system, senders, folder)) = measure::order() else {
        println!("beside its peers: benches/peers/run.sh");
        return;
    };
    play(&system, &folder.join("exact"), senders, Freshness::Exact);
    play(
        &format!("{system}, bounded"),
        &folder.join("bounded"),
        senders,
        Freshness::Bounded(Duration::from_millis(200)),
    );
}
