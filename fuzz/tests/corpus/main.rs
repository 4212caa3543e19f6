//! The fuzz targets without a fuzzer: the corpus, and mutations of it that follow from a seed.
//!
//! `DMGATE_FUZZ_RUNS` says how many mutations of each target, `DMGATE_FUZZ_SEED` which.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod mutation;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use dmgate_fuzz::TARGETS;
use mutation::Mutations;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs of a target by their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut inputs: Vec<_> = entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect();
    inputs.sort();
    inputs
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn play(target: &str, runs: u64) {
    let check = TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
    let inputs = corpus(target);
    assert!(inputs.len() > 2, "{target} has no corpus");
    let fail =
        |what: &str, input: &[u8]| panic!("{target}: {what} fails; the input is:\n{}", input.escape_ascii());
    for (name, input) in &inputs {
        if catch_unwind(AssertUnwindSafe(|| check(input))).is_err() {
            fail(name, input);
        }
    }
    let (runs, seed) = (setting("DMGATE_FUZZ_RUNS", runs), setting("DMGATE_FUZZ_SEED", 1));
    let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, input)| input).collect();
    for (number, input) in Mutations::new(&inputs, seed).take(usize::try_from(runs).unwrap()).enumerate() {
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            fail(&format!("mutation {number} of seed {seed}"), &input);
        }
    }
}

#[test]
fn i1_i7_i10_whatever_an_allow_file_holds() {
    play("allow", 3_000);
}

#[test]
fn whatever_is_typed() {
    play("arguments", 3_000);
}

#[test]
fn whatever_the_audit_holds() {
    play("audit", 1_000);
}

#[test]
fn i7_i10_i17_whatever_the_files_about_devices_hold() {
    play("devices", 1_500);
}

#[test]
fn whatever_a_setup_code_is() {
    play("setup", 5_000);
}

#[test]
fn i17_whatever_a_device_sends() {
    play("frames", 5_000);
}

#[test]
fn i7_whatever_a_configuration_holds() {
    play("configuration", 5_000);
}

#[test]
fn i8_i15_whatever_an_id_is() {
    play("ids", 3_000);
}

#[test]
fn i15_i16_whatever_an_irc_server_says() {
    play("irc", 1_000);
}

#[test]
fn i2_i3_i4_i5_whatever_happens() {
    play("operations", 300);
}

#[test]
fn i3_i5_i7_i10_whatever_a_pending_file_holds() {
    play("pending", 2_000);
}

#[test]
fn i2_i7_i15_whatever_our_record_holds() {
    play("record", 2_000);
}

#[test]
fn i14_i16_whatever_telegram_calls_with() {
    play("telegram", 5_000);
}

#[test]
fn i14_whatever_is_asked_of_the_web_chat() {
    play("webchat", 1_000);
}

/// As of the other documents in `tests/gate/corruption.rs`. What is cut off at the end of a line is a configuration too.
#[test]
fn i7_every_cut_and_flipped_bit_of_a_configuration() {
    let whole = fs::read(folder("configuration").join("telegram.toml")).unwrap();
    for at in 0..whole.len() {
        dmgate_fuzz::configuration::check(&whole[..at]);
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            dmgate_fuzz::configuration::check(&flipped);
        }
    }
}

/// A target that nobody plays would be none.
#[test]
fn every_target_is_here_and_has_its_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named("targets"), targets);
    assert_eq!(named("corpus"), targets);
    let played = include_str!("main.rs");
    assert!(targets.iter().all(|target| played.contains(&format!("play(\"{target}\","))));
}
