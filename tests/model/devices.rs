//! Devices beside a naive model: every token, session and setup code that there ever was is worth what it should be.

pub(crate) mod operation;
pub(crate) mod play;
pub(crate) mod rules;
pub(crate) mod subject;

use operation::Operation;
use play::Play;
use proptest::test_runner::TestCaseError;

use crate::{play_with, setting, shared_among_threads};

/// Plays histories and says how the shortest one that goes wrong goes wrong.
fn play_many(is_files: bool, sequences: u64, seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = play_with(operation::any(), sequences, seed, |history: &[Operation]| {
        let mut play = Play::begin(is_files);
        for (at, operation) in history.iter().enumerate() {
            if let Err(difference) = runtime.block_on(play.step(operation)) {
                return Err(TestCaseError::fail(format!("at step {at}, {operation:?}: {difference}")));
            }
        }
        Ok(())
    });
    result.map_err(|error| format!("files: {is_files}, seed {seed}: {error}"))
}

#[test]
fn i17_every_history_of_devices_is_as_the_model_says() {
    let (sequences, seed) = (setting("DMGATE_MODEL_SEQUENCES", 2_000), setting("DMGATE_MODEL_SEED", 1));
    shared_among_threads(sequences, seed, |sequences, seed| play_many(false, sequences, seed));
}

/// A twentieth as many, since each step is a transaction or two.
#[test]
fn i10_i17_every_history_of_devices_in_files_is_as_the_model_says() {
    let (sequences, seed) = (setting("DMGATE_MODEL_SEQUENCES", 2_000), setting("DMGATE_MODEL_SEED", 1));
    shared_among_threads(sequences.div_ceil(20), seed, |sequences, seed| play_many(true, sequences, seed));
}

/// The histories are such that all of it happens.
#[test]
fn histories_of_devices_come_far() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut sessions, mut ended, mut revoked, mut served, mut decided) = (0, 0, 0, 0, 0);
    for _ in 0..200 {
        let mut play = Play::begin(false);
        let history =
            proptest::collection::vec(operation::any(), 50).new_tree(&mut runner).unwrap().current();
        for operation in &history {
            let before = play.model.tokens;
            runtime.block_on(play.step(operation)).unwrap();
            let is_remote = matches!(operation, Operation::Approve { by: operation::By::Session(_), .. });
            decided +=
                usize::from(is_remote && play.model.tokens > before && !play.model.sessions.is_empty());
        }
        let model = play.model;
        sessions += model.sessions.len();
        ended += model.sessions.iter().filter(|session| session.ended).count();
        revoked +=
            model.devices.values().flat_map(|it| it.roles.values()).filter(|held| held.revoked).count();
        served += model.codes.iter().filter(|code| code.serves.is_some()).count();
    }
    let all = [sessions, ended, revoked, served, decided];
    assert!(all.iter().all(|count| *count > 30), "{all:?}");
}
