//! What an allowed sender takes, beyond the bytes of the id.

use std::process::Command;

use dmgate::{Freshness, IdSet, SenderId, World};

use crate::scene;
use crate::strangers::resident_bytes;
use crate::table::{Line, Table};

const SENDERS: usize = 1_000_000;

/// Names the state directory to a program that was started to load it and say by how much it grew.
pub(crate) const GROWN: &str = "DMGATE_BARS_GROWN";

pub(crate) fn lines(table: &mut Table) {
    let account = scene::account(0);
    let ids: Vec<SenderId> = (0..SENDERS)
        .map(|number| SenderId::parse(account.channel(), &scene::known(number)).unwrap())
        .collect();
    let own = ids.iter().map(|id| id.as_str().len()).sum::<usize>() as f64;
    let mut set = IdSet::default();
    let held = allocation_counter::measure(|| set = ids.iter().collect()).bytes_current as f64;
    assert_eq!(set.len(), SENDERS);
    let each = (held - own) / SENDERS as f64;
    table.add(Line::figure("1,000,000 allowed: each beyond its id, as allocated", each, 16.0, " B"));

    let dir = tempfile::tempdir().unwrap();
    scene::list(dir.path(), &account, (0..SENDERS).map(scene::known));
    let mut program = Command::new(std::env::current_exe().unwrap());
    let said = program.env(GROWN, dir.path()).output().unwrap();
    let grown: f64 = String::from_utf8(said.stdout).unwrap().trim().parse().unwrap();
    let each = (grown - own) / SENDERS as f64;
    table.add(Line::figure("1,000,000 allowed: each beyond its id, as resident", each, 16.0, " B"));
}

/// What the second line starts.
pub(crate) fn grow(state: &str) {
    let gate = scene::open(state.as_ref(), Freshness::Exact, World::default());
    let message = scene::hello(&scene::account(0), &scene::known(7));
    let runtime = scene::runtime();
    let before = resident_bytes();
    let decision = runtime.block_on(gate.admit(&message));
    assert_eq!(decision.reason().as_str(), "allowlisted");
    println!("{}", resident_bytes() - before);
}
