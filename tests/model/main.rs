//! Random histories, on every store and beside a naive model: the verdicts, the codes, the listings are the same.
//!
//! `DMGATE_MODEL_SEQUENCES` (10,000), `DMGATE_MODEL_LENGTH` (16) and `DMGATE_MODEL_SEED` (1) say how many and which;
//! `tests/long.sh model` is the long form.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod devices;
mod neighbour;
mod operation;
mod play;
mod rules;

use std::fmt::Write as _;

use operation::{Operation, Operations};
use play::{Play, Which};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Plays histories of these operations, and finds the shortest one that goes wrong.
fn play_with<O: std::fmt::Debug + Clone>(
    operation: impl Strategy<Value = O>,
    sequences: u64,
    seed: u64,
    play: impl Fn(&[O]) -> Result<(), TestCaseError>,
) -> Result<(), TestError<Operations<O>>> {
    let length = usize::try_from(setting("DMGATE_MODEL_LENGTH", 16)).unwrap();
    let config = Config {
        cases: u32::try_from(sequences).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let histories = proptest::collection::vec(operation, 1..=length).prop_map(Operations);
    runner.run(&histories, |operations| play(&operations.0))
}

/// Plays histories and says how the shortest one that goes wrong goes wrong.
fn play_many(which: Which, sequences: u64, seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = play_with(operation::any(), sequences, seed, |operations| {
        let mut play = Play::begin(which);
        for (at, operation) in operations.iter().enumerate() {
            if let Err(difference) = runtime.block_on(play.step(operation)) {
                return Err(TestCaseError::fail(format!("at step {at}: {difference}")));
            }
        }
        runtime
            .block_on(play.compare())
            .map_err(|difference| TestCaseError::fail(format!("in the end: {difference}")))
    });
    result.map_err(|error| format!("{which:?}, seed {seed}: {error}"))
}

/// More than there are processors: most of a history is waiting, above all for the kernel to take watches off.
const THREADS: u64 = 8;

fn shared_among_threads(sequences: u64, seed: u64, play: impl Fn(u64, u64) -> Result<(), String> + Sync) {
    let mut trouble = String::new();
    std::thread::scope(|scope| {
        let play = &play;
        let part = |part| move || play(sequences.div_ceil(THREADS), seed * THREADS + part);
        let played: Vec<_> = (0..THREADS).map(|number| scope.spawn(part(number))).collect();
        for part in played {
            if let Err(error) = part.join().unwrap() {
                let _ = writeln!(trouble, "{error}");
            }
        }
    });
    assert!(trouble.is_empty(), "{trouble}");
}

fn play_all(which: Which) {
    let (sequences, seed) = (setting("DMGATE_MODEL_SEQUENCES", 10_000), setting("DMGATE_MODEL_SEED", 1));
    shared_among_threads(sequences, seed, |sequences, seed| play_many(which, sequences, seed));
}

#[test]
fn i1_i2_i3_i5_i12_i15_every_history_in_memory_is_as_the_model_says() {
    play_all(Which::Memory);
}

#[test]
fn i1_i2_i3_i4_i5_i10_i12_i15_every_history_in_files_is_as_the_model_says() {
    play_all(Which::Files);
}

/// The harness sees what it is there to see: a model that forgets hours is told apart from the store.
#[test]
fn a_model_that_forgets_is_caught() {
    let wrong = play_many(Which::MemoryBesideAModelThatForgetsHours, 500, 1).unwrap_err();
    assert!(wrong.contains("hour_used") && wrong.contains("minimal failing input"), "{wrong}");
}

/// A history as it is printed when it went wrong: one operation a line.
#[test]
fn a_history_is_printed_one_operation_a_line() {
    let history = Operations(vec![Operation::Advance { minutes: 3 }, Operation::Reopen]);
    assert_eq!(format!("{history:?}"), "\n  Advance { minutes: 3 }\n  Reopen\n");
}
