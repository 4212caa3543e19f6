//! A list that changed: reading it anew, and what others notice of it.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dmgate::{DmGate, Freshness, InboundMessage, World};

use crate::race::{Race, race};
use crate::scene;
use crate::table::{Line, Table};

const SENDERS: usize = 100_000;

pub(crate) fn lines(table: &mut Table) {
    let dir = tempfile::tempdir().unwrap();
    let message = scene::hello(&scene::account(0), &scene::known(7));
    rewrite(dir.path());
    anew(table, dir.path(), &message);
    meanwhile(table, dir.path(), &message);
}

fn rewrite(state: &Path) {
    scene::list(state, &scene::account(0), (0..SENDERS).map(scene::known));
}

/// From the change to the decision, beside reading the file into a `serde_json::Value`.
fn anew(table: &mut Table, state: &Path, message: &InboundMessage) {
    let gate = scene::open(state, Freshness::Exact, World::default());
    let runtime = scene::runtime();
    let path = state.join("credentials/telegram-bot0-allowFrom.json");
    let floor = || {
        let begin = Instant::now();
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let took = begin.elapsed();
        drop(value);
        took
    };
    let subject = || {
        rewrite(state);
        let begin = Instant::now();
        let decision = runtime.block_on(gate.admit(message));
        let took = begin.elapsed();
        assert_eq!(decision.reason().as_str(), "allowlisted");
        took
    };
    let race = race(41, 1, floor, subject);
    table.add(Line::ratio("reload of 100,000: read + serde_json::Value", &race, 3.0));
}

/// One decision after the other while the list is rewritten all the time, as fast as another thread can.
fn meanwhile(table: &mut Table, state: &Path, message: &InboundMessage) {
    let gate = scene::open(state, Freshness::Bounded(Duration::from_millis(100)), World::default());
    // Its worker reads the list anew beside the decisions, as in any program that has more to do than one thing.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    drop(runtime.block_on(gate.admit(message)));
    let is_over = AtomicBool::new(false);
    let (took, waited) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                rewrite(state);
            }
        });
        let found = decide(&gate, message, &runtime);
        is_over.store(true, Ordering::Relaxed);
        found
    });
    let [p50, p999] = [0.5, 0.999].map(|share| took.below(share));
    let race = Race { floor: p50, subject: p999, ratio: p999 / p50, beyond: p999 - p50 };
    table.add(Line::ratio("bounded while 100,000 reload, p99.9: p50", &race, 10.0));
    table.add(Line::figure("bounded while 100,000 reload: waited for it", waited as f64, 0.0, ""));
}

/// How long decisions took during four seconds, and how many were not ready at once.
fn decide(gate: &DmGate, message: &InboundMessage, runtime: &tokio::runtime::Runtime) -> (Times, usize) {
    let _inside = runtime.enter();
    let (mut times, mut waited) = (Times(vec![0; 1_000_000]), 0);
    let end = Instant::now() + Duration::from_secs(4);
    let mut begin = Instant::now();
    while begin < end {
        let mut future = pin!(gate.admit(message));
        let decision = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(decision) => decision,
            Poll::Pending => {
                waited += 1;
                runtime.block_on(future)
            }
        };
        drop(decision);
        let now = Instant::now();
        times.note(now - begin);
        begin = now;
    }
    (times, waited)
}

/// How many took so many nanoseconds; the last place is for all that took longer.
struct Times(Vec<u32>);

impl Times {
    fn note(&mut self, took: Duration) {
        let last = self.0.len() - 1;
        self.0[last.min(took.as_nanos() as usize)] += 1;
    }

    /// The time that this share of all did not exceed.
    fn below(&self, share: f64) -> f64 {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut left = (all as f64 * share) as u64;
        for (nanoseconds, count) in self.0.iter().enumerate() {
            match left.checked_sub(u64::from(*count)) {
                Some(rest) => left = rest,
                None => return nanoseconds as f64,
            }
        }
        self.0.len() as f64
    }
}
