//! What one decision costs: time, allocations, system calls, beside the bare hash of the same id.
//!
//! `cargo bench --bench admit` prints one table of one run. Times are the best of several rounds, in nanoseconds;
//! allocations and system calls are counted, not measured, and are exact. System calls are counted by `strace`, which
//! runs this program again; without it that column is empty.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures with the machine's clock")]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use dmgate::store::{FileOptions, FileStore};
use dmgate::{
    AccountKey, AccountPolicy, DmGate, DmPolicy, Freshness, InboundMessage, Limits, ReplyRoute, Sender,
    SenderId, World,
};

/// One kind of decision.
#[derive(Clone, Copy)]
enum Scenario {
    /// Nothing but the hash and one probe of a `std` set with the same hasher.
    BareProbe(usize),
    /// One look at an inotify queue by the freshness check alone is in each exact figure.
    Known(usize, bool),
    Pending,
    OverCap,
    NotDirect,
}

const SCENARIOS: [(&str, Scenario); 12] = [
    ("bare hash + probe, 10", Scenario::BareProbe(10)),
    ("bare hash + probe, 1,000", Scenario::BareProbe(1_000)),
    ("bare hash + probe, 100,000", Scenario::BareProbe(100_000)),
    ("known sender, 10, bounded", Scenario::Known(10, false)),
    ("known sender, 1,000, bounded", Scenario::Known(1_000, false)),
    ("known sender, 100,000, bounded", Scenario::Known(100_000, false)),
    ("known sender, 10, exact", Scenario::Known(10, true)),
    ("known sender, 1,000, exact", Scenario::Known(1_000, true)),
    ("known sender, 100,000, exact", Scenario::Known(100_000, true)),
    ("stranger with a pending request, exact", Scenario::Pending),
    ("stranger over the cap, exact", Scenario::OverCap),
    ("message of a group", Scenario::NotDirect),
];

/// Messages that one round looks at in turn, so that not one line of the cache serves all.
const SENDERS: usize = 1_024;

struct Bench {
    _dir: tempfile::TempDir,
    gate: DmGate,
    set: std::collections::HashSet<String, foldhash::fast::RandomState>,
    messages: Vec<InboundMessage>,
    bare: bool,
}

impl Bench {
    fn new(scenario: Scenario) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let account = AccountKey::parse("telegram", "default").unwrap();
        let (known, exact, bare) = match scenario {
            Scenario::BareProbe(known) => (known, false, true),
            Scenario::Known(known, exact) => (known, exact, false),
            Scenario::Pending | Scenario::OverCap | Scenario::NotDirect => (1_000, true, false),
        };
        let id = |number: usize| (1_000_000_000 + 7_919 * number).to_string();
        let list: Vec<String> = (0..known).map(id).collect();
        let credentials = dir.path().join("credentials");
        let store = FileStore::open(FileOptions::new(dir.path()), World::default()).unwrap();
        let text = serde_json::json!({ "version": 1, "allowFrom": list }).to_string();
        std::fs::write(credentials.join("telegram-allowFrom.json"), text).unwrap();
        std::fs::set_permissions(
            credentials.join("telegram-allowFrom.json"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        let freshness = if exact { Freshness::Exact } else { Freshness::Bounded(Duration::from_secs(1)) };
        let limits = Limits { freshness, ..Limits::default() };
        let policy = AccountPolicy::new(account.channel(), DmPolicy::Pairing, [], limits).unwrap();
        let gate = DmGate::builder().store(store).account(account.clone(), policy).build();
        let message = |text: &str| {
            let sender = Sender::new(SenderId::parse(account.channel(), text).unwrap());
            let route = ReplyRoute::new(text);
            InboundMessage { route, ..InboundMessage::direct(account.clone(), sender, "hi") }
        };
        let messages: Vec<InboundMessage> = match scenario {
            Scenario::BareProbe(known) | Scenario::Known(known, _) => {
                (0..SENDERS).map(|number| message(&id(number * 31 % known))).collect()
            }
            Scenario::Pending => (0..SENDERS).map(|_| message("5")).collect(),
            Scenario::OverCap => (0..SENDERS).map(|number| message(&(100 + number).to_string())).collect(),
            Scenario::NotDirect => (0..SENDERS)
                .map(|_| InboundMessage { conversation: dmgate::Conversation::Group, ..message("5") })
                .collect(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for stranger in ["5", "6", "7"] {
                let _ = black_box(gate.admit(&message(stranger)).await);
            }
            for message in &messages {
                let _ = black_box(gate.admit(message).await);
            }
        });
        Self { _dir: dir, gate, set: list.into_iter().collect(), messages, bare }
    }

    fn run(&self, iterations: usize) {
        for message in self.messages.iter().cycle().take(iterations) {
            if self.bare {
                black_box(self.set.contains(black_box(message.sender.primary().as_str())));
            } else {
                let decision = self.gate.admit_now(black_box(message));
                let _ = black_box(decision.expect("decided without I/O"));
            }
        }
    }

    /// Nanoseconds of one decision: the best of nine rounds.
    fn time(&self) -> f64 {
        let iterations = 200_000;
        self.run(iterations / 10);
        let round = || {
            let begin = Instant::now();
            self.run(iterations);
            begin.elapsed().as_secs_f64() * 1e9 / iterations as f64
        };
        (0..9).map(|_| round()).fold(f64::INFINITY, f64::min)
    }

    fn allocations(&self) -> f64 {
        let iterations = 10_000;
        self.run(iterations);
        allocation_counter::measure(|| self.run(iterations)).count_total as f64 / iterations as f64
    }
}

/// System calls of one decision: two runs under `strace` that differ by `MORE` decisions.
fn system_calls(number: usize) -> Option<f64> {
    const MORE: usize = 5_000;
    let count = |iterations: usize| -> Option<f64> {
        let dir = tempfile::tempdir().ok()?;
        let out = dir.path().join("calls");
        let status = Command::new("strace")
            .args(["-f", "-c", "-S", "calls", "-o"])
            .arg(&out)
            .arg(std::env::current_exe().ok()?)
            .env("DMGATE_BENCH", format!("{number}:{iterations}"))
            .status()
            .ok()?;
        let text = std::fs::read_to_string(out).ok().filter(|_| status.success())?;
        let total = text.lines().last()?.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
        // The total line: share, seconds, microseconds a call, calls.
        total.clone().nth(3).or_else(|| total.clone().nth(2))
    };
    Some(((count(2 * MORE)? - count(MORE)?) / MORE as f64 * 100.0).round() / 100.0)
}

fn main() {
    if let Ok(order) = std::env::var("DMGATE_BENCH") {
        let (number, iterations) = order.split_once(':').unwrap();
        let scenario = SCENARIOS[number.parse::<usize>().unwrap()].1;
        Bench::new(scenario).run(iterations.parse().unwrap());
        return;
    }
    println!("{:42} {:>9} {:>7} {:>12} {:>13}", "decision", "ns", "ratio", "allocations", "system calls");
    let mut floors = std::collections::HashMap::new();
    for (number, (name, scenario)) in SCENARIOS.iter().enumerate() {
        let bench = Bench::new(*scenario);
        let time = bench.time();
        let known = match scenario {
            Scenario::BareProbe(known) | Scenario::Known(known, _) => *known,
            Scenario::Pending | Scenario::OverCap | Scenario::NotDirect => 1_000,
        };
        let floor = *floors.entry(known).or_insert(time);
        let calls =
            system_calls(number).map_or_else(|| "–".to_owned(), |calls| format!("{:.2}", calls.max(0.0)));
        let (ratio, allocations) = (time / floor, bench.allocations());
        println!("{name:42} {time:>9.1} {ratio:>7.2} {allocations:>12.2} {calls:>13}");
    }
    println!("\nThe ratio is to the bare hash and probe at the same number of senders, in the same run.");
}
