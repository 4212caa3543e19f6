//! Two threads at once: beside a naive program, and beside one thread.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use dmgate::{InboundMessage, World};

use crate::known::{ids, probe_all};
use crate::race::{median, race, timed, together};
use crate::scene::{self, Scene, Situation, Way};
use crate::table::{Line, Table};

pub(crate) fn lines(table: &mut Table) {
    million(table);
    // What the machine gains from its second processor, with nothing shared that is written.
    let scene = Scene::new(Situation::KnownBounded);
    let ids = ids(&scene);
    for way in [Way::GateNow, Way::AccountNow] {
        let gain = gain(&scene, 40, |messages| scene.ask_all(way, messages), |all| probe_all(&ids, all));
        table.add(gain.line(format!("two threads, bounded, {}: hashing", way.name()), 1.8));
    }
    let scene = Scene::new(Situation::KnownExact);
    let way = Way::GateNow;
    let gain = gain(&scene, 8, |messages| scene.ask_all(way, messages), |all| probe_all(&ids, all));
    table.add(gain.line(format!("two threads, exact, {}: hashing", way.name()), 1.5));
}

/// How much more two threads do than one.
struct Gain {
    gate: f64,
    machine: f64,
}

impl Gain {
    fn line(&self, what: String, at_least: f64) -> Line {
        Line::gain(what, self.gate, self.machine, at_least)
    }
}

/// Each thread has its own half of the messages, as a message is in one thread's hands.
fn gain(
    scene: &Scene,
    passes: usize,
    gate: impl Fn(&[(usize, InboundMessage)]) + Sync,
    hash: impl Fn(&[(usize, InboundMessage)]) + Sync,
) -> Gain {
    let halves: Vec<_> = scene.messages.chunks(scene.messages.len() / 2).collect();
    let (mut gates, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..41 {
        let gate = |threads| together(threads, |one| (0..passes).for_each(|_| gate(halves[one])));
        gates.push(2.0 * gate(1).as_secs_f64() / gate(2).as_secs_f64());
        let hash = |threads| together(threads, |one| (0..4 * passes).for_each(|_| hash(halves[one])));
        hashes.push(2.0 * hash(1).as_secs_f64() / hash(2).as_secs_f64());
    }
    Gain { gate: median(gates), machine: median(hashes) }
}

/// A million senders, beside what is written without a thought: a lock around a set of three strings, and a key made
/// for every look.
fn million(table: &mut Table) {
    let (accounts, senders) = (16, 62_500);
    let scene = Scene::of(Situation::KnownBounded, accounts, senders, World::default());
    let key = |message: &InboundMessage| {
        let (channel, account) = (message.account.channel(), message.account.account());
        let sender = message.sender.primary();
        (channel.as_str().to_owned(), account.as_str().to_owned(), sender.as_str().to_owned())
    };
    // In the order of the lists, as those were read; not in the order in which the messages will come.
    let all = (0..accounts).flat_map(|at| (at * senders..(at + 1) * senders).map(move |number| (at, number)));
    let naive: HashSet<(String, String, String)> =
        all.map(|(at, number)| key(&scene::hello(&scene::account(at), &scene::known(number)))).collect();
    let naive = Mutex::new(naive);
    let halves: Vec<_> = scene.messages.chunks(scene.messages.len() / 2).collect();
    let floor = || {
        just_parsed(&halves, |messages| {
            for (_, message) in messages {
                let key = key(black_box(message));
                assert!(naive.lock().unwrap().contains(&key));
            }
        })
    };
    let subject = || just_parsed(&halves, |messages| scene.ask_all(Way::GateNow, messages));
    let race = race(7, scene.messages.len() / 2, floor, subject);
    table.add(Line::ratio("1,000,000 senders, two threads, bounded: locked set", &race, 0.35));
}

/// How long the slower of two threads looks at its messages. Each message was read right before, as one that was just
/// parsed: what is far away is the lists, not the messages.
fn just_parsed(
    halves: &[&[(usize, InboundMessage)]],
    look: impl Fn(&[(usize, InboundMessage)]) + Sync,
) -> Duration {
    let took: [Mutex<Duration>; 2] = Default::default();
    together(2, |thread| {
        let of_some = |some: &[(usize, InboundMessage)]| {
            some.iter().for_each(|message| drop(black_box(message.clone())));
            timed(|| look(some))
        };
        *took[thread].lock().unwrap() = halves[thread].chunks(64).map(of_some).sum();
    });
    took.into_iter().map(|took| took.into_inner().unwrap()).max().unwrap()
}
