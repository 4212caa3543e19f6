//! A known sender, beside the bare probe of a set (bounded) and the bare look at an event queue (exact).

use std::collections::HashSet;
use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::process::Command;

use dmgate::InboundMessage;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::race::{race, timed};
use crate::scene::{Scene, Situation, Way};
use crate::system_calls;
use crate::table::{Line, Table};

const ROUNDS: usize = 301;

/// Names the situation to a program that was started to have its system calls counted.
pub(crate) const COUNTED: &str = "DMGATE_BARS_COUNTED";

pub(crate) fn lines(table: &mut Table) {
    let scene = Scene::new(Situation::KnownBounded);
    let ids = ids(&scene);
    let probe = || timed(|| probe_all(&ids, &scene.messages));
    for way in Way::ALL {
        let subject = || timed(|| scene.ask_all(way, &scene.messages));
        let race = race(ROUNDS, scene.messages.len(), probe, subject);
        table.add(Line::ratio(format!("known, bounded, {}: set probe", way.name()), &race, 3.0));
    }
    count(table, &scene, Situation::KnownBounded, 0.0);

    let scene = Scene::new(Situation::KnownExact);
    let queue = Queue::new();
    let look = || timed(|| scene.messages.iter().for_each(|_| assert!(queue.is_empty())));
    // After a system call a probe waits for memory alone; in a loop of nothing but probes many wait at once.
    let least = || {
        timed(|| {
            for message in &scene.messages {
                assert!(queue.is_empty());
                probe_all(&ids, std::slice::from_ref(message));
            }
        })
    };
    let beside = race(ROUNDS, scene.messages.len(), look, least);
    table.add(Line::beside("a look and a set probe, and no gate: queue peek", &beside));
    for way in Way::ALL {
        let subject = || timed(|| scene.ask_all(way, &scene.messages));
        let race = race(ROUNDS, scene.messages.len(), look, subject);
        table.add(Line::ratio(format!("known, exact, {}: queue peek", way.name()), &race, 1.3));
    }
    count(table, &scene, Situation::KnownExact, 1.0);
}

/// Allocations and system calls of one decision.
fn count(table: &mut Table, scene: &Scene, situation: Situation, calls: f64) {
    let many = scene.messages.len() as f64;
    let ask = || Way::ALL.iter().for_each(|way| scene.ask_all(*way, &scene.messages));
    let allocations = allocation_counter::measure(ask).count_total as f64 / many;
    table.add(Line::figure(format!("{}: allocations", situation.name()), allocations, 0.0, ""));
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.env(COUNTED, situation.name());
    let found = system_calls::between_marks(&program).len() as f64 / many;
    table.add(Line::figure(format!("{}: system calls", situation.name()), found, calls, ""));
}

/// What `count` starts.
pub(crate) fn be_counted(situation: &str) {
    let scene = Scene::new(Situation::named(situation).unwrap());
    system_calls::marked(|| scene.ask_all(Way::Gate, &scene.messages));
}

/// One set of all ids, as if there were one account.
pub(crate) type Ids = HashSet<String, foldhash::fast::RandomState>;

pub(crate) fn ids(scene: &Scene) -> Ids {
    scene.messages.iter().map(|(_, message)| message.sender.primary().as_str().to_owned()).collect()
}

/// Nothing but a hash and one probe for each message.
pub(crate) fn probe_all(ids: &Ids, messages: &[(usize, InboundMessage)]) {
    for (_, message) in messages {
        black_box(ids.contains(black_box(message).sender.primary().as_str()));
    }
}

/// An event queue that watches a directory in which nothing happens.
pub(crate) struct Queue {
    inotify: OwnedFd,
    _dir: tempfile::TempDir,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&inotify, dir.path(), WatchFlags::ALL_EVENTS).unwrap();
        Self { inotify, _dir: dir }
    }

    pub(crate) fn is_empty(&self) -> bool {
        rustix::io::ioctl_fionread(&self.inotify).unwrap() == 0
    }
}
