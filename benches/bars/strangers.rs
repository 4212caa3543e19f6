//! Strangers who are refused: what one costs, and what ten million leave behind.

use dmgate::pairing::{Approval, Surface, Target};
use dmgate::store::Actor;
use dmgate::{Decision, Freshness, Sender, SenderId, World};

use crate::known::Queue;
use crate::race::{race, timed};
use crate::scene::{self, Scene, Situation, Way};
use crate::steps::Steps;
use crate::table::{Line, Table};

const FLOOD: u64 = 10_000_000;

pub(crate) fn lines(table: &mut Table) {
    let scene = Scene::new(Situation::OverCap);
    let queue = Queue::new();
    let look = || timed(|| scene.messages.iter().for_each(|_| assert!(queue.is_empty())));
    let subject = || timed(|| scene.ask_all(Way::Gate, &scene.messages));
    let race = race(301, scene.messages.len(), look, subject);
    table.add(Line::beyond("stranger refused, slots full: queue peek", &race, 1_000.0));
    flood(table);
}

/// Each comes once, in one buffer, so that nothing but the gate could keep them.
fn flood(table: &mut Table) {
    let dir = tempfile::tempdir().unwrap();
    let gate = scene::open(dir.path(), Freshness::Exact, World::default());
    let (account, runtime) = (scene::account(0), scene::runtime());
    let mut message = scene::hello(&account, "1");
    // On a channel that had a request before: the very first one makes our record, which is then a replace more and an
    // append less.
    runtime.block_on(async {
        let Decision::Challenge(challenge) = gate.admit(&message).await else { panic!("a code") };
        let target = Target::Request(challenge.request);
        let approval = Approval { target, account: None, notify: false };
        let actor = Actor { name: "bars".into(), surface: Surface::Local };
        gate.store().reject(account.channel(), approval, false, &actor).await.unwrap();
    });
    let mut id = String::new();
    let before = Steps::now();
    let mut resident = 0;
    for number in 0..FLOOD {
        id.clear();
        std::fmt::Write::write_fmt(&mut id, format_args!("{}", 1_000_000_000 + number)).unwrap();
        message.sender = Sender::new(SenderId::parse(account.channel(), &id).unwrap());
        drop(runtime.block_on(gate.admit(&message)));
        if number == FLOOD / 1_000 {
            resident = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(resident) as f64 / 1_024.0;
    let steps = Steps::now() - before;
    table.add(Line::figure("10,000,000 strangers: resident memory grows", grown, 1_024.0, " KiB"));
    table.add(Line::figure("10,000,000 strangers: replaces", steps.replaces as f64, 3.0, ""));
    table.add(Line::figure("10,000,000 strangers: appends", steps.appends as f64, 3.0, ""));
}

/// What the kernel holds in memory for this process.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
