//! How many instructions a decision takes, counted by callgrind: exact where times are not.
//!
//! `cargo bench --bench instructions` compares with `counts.txt` and fails where a count is off by more than 2 %;
//! `cargo bench --bench instructions -- keep` writes the file anew. Another compiler makes other instructions, another C
//! library has other ones: the file says which it is of, and with any other nothing is compared, which is said aloud.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]
#![allow(clippy::disallowed_methods, reason = "a benchmark keeps its counts in a plain file")]

mod callgrind;
#[path = "../bars/scene.rs"]
mod scene;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use dmgate::testing::ManualClock;

use crate::scene::{Scene, Situation, Way};

/// Names the situation, and how often each message is decided on, to this program when callgrind runs it.
const COUNTED: &str = "DMGATE_INSTRUCTIONS";

const MORE: u64 = 200;

/// One account: with some, it would depend on the seed of the day which of them meet in the table of accounts.
const ACCOUNTS: usize = 1;
const SENDERS: usize = 1_000;

/// How far a count may be off.
const TOLERANCE: f64 = 0.02;

fn main() -> ExitCode {
    if let Ok(order) = std::env::var(COUNTED) {
        be_counted(&order);
        return ExitCode::SUCCESS;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/counts.txt");
    let makers = makers();
    let found: Vec<(Situation, f64)> =
        Situation::ALL.map(|situation| (situation, instructions(situation))).to_vec();
    if std::env::args().any(|word| word == "keep") {
        keep(&file, &makers, &found);
        return ExitCode::SUCCESS;
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    let is_comparable = kept.lines().any(|line| line == makers);
    if !is_comparable {
        println!("NOTHING IS COMPARED: counts.txt is not of {makers}");
    }
    let mut all_hold = true;
    for (situation, found) in found {
        let name = situation.name();
        let line = kept.lines().find_map(|line| line.strip_prefix(name));
        let kept: f64 = line.unwrap_or_else(|| panic!("counts.txt lacks `{name}`")).trim().parse().unwrap();
        let off = found / kept - 1.0;
        let holds = off.abs() <= TOLERANCE;
        all_hold &= holds;
        let verdict = if holds { "" } else { "MORE THAN 2 % OFF" };
        println!("{name:32} {found:8.1}   kept {kept:8.1}   {:+6.2} %  {verdict}", off * 100.0);
    }
    if all_hold || !is_comparable {
        return ExitCode::SUCCESS;
    }
    println!("If that is meant: cargo bench --bench instructions -- keep");
    ExitCode::FAILURE
}

fn keep(file: &Path, makers: &str, found: &[(Situation, f64)]) {
    let mut text =
        "Instructions of one decision. `cargo bench --bench instructions -- keep` writes this file.\n"
            .to_owned();
    writeln!(text, "{makers}\n").unwrap();
    for (situation, count) in found {
        writeln!(text, "{:32} {count:8.1}", situation.name()).unwrap();
    }
    std::fs::write(file, &text).unwrap();
    print!("{text}");
}

/// What the instructions come from.
fn makers() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let said = |program: &str, what: &str| {
        let said = Command::new(program).arg(what).output().map(|ran| ran.stdout).unwrap_or_default();
        String::from_utf8(said).unwrap().trim().to_owned()
    };
    let (compiler, library) = (said(&rustc, "-V"), said("getconf", "GNU_LIBC_VERSION"));
    format!("{compiler}, {library}, {}", std::env::consts::ARCH)
}

/// Two runs that differ by so many decisions: what both do before cancels out. The seed of the process decides who stands
/// before whom in a bucket, above all where one and the same sender is asked for: the least of some runs counts.
fn instructions(situation: Situation) -> f64 {
    let count = |times: u64| -> f64 {
        let mut program = Command::new(std::env::current_exe().unwrap());
        callgrind::instructions(program.env(COUNTED, format!("{times} {}", situation.name()))) as f64
    };
    let runs = match situation {
        Situation::Pending => 12,
        Situation::OverCap => 6,
        Situation::KnownBounded | Situation::KnownExact | Situation::Group => 1,
    };
    let least = (0..runs).map(|_| count(1 + MORE)).fold(f64::INFINITY, f64::min);
    (least - count(1)) / (MORE * (ACCOUNTS * SENDERS) as u64) as f64
}

fn be_counted(order: &str) {
    let (times, situation) = order.split_once(' ').unwrap();
    // The machine's clock is read through the kernel's own code in our memory, which valgrind takes away, and whose
    // instructions are not ours.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let clock = ManualClock::at(now.try_into().unwrap());
    let scene = Scene::of(Situation::named(situation).unwrap(), ACCOUNTS, SENDERS, clock.world());
    for _ in 0..times.parse::<u64>().unwrap() {
        scene.ask_all(Way::GateNow, &scene.messages);
    }
}
