//! How the drivers in Rust time what they do; `measure.mjs` and `measure.py` do the same in their languages.

use std::path::PathBuf;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(200);
/// A sample is one call, or as many as fill this.
const SAMPLE: Duration = Duration::from_micros(100);
const BUDGET: Duration = Duration::from_secs(1);

/// What a driver is called with: the name of its row, the number of senders, an empty folder.
pub(crate) fn order() -> Option<(String, usize, PathBuf)> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    Some((words.next()?, words.next()?.parse().ok()?, words.next()?.into()))
}

/// The ids that are let in; everyone else is a stranger.
pub(crate) fn known(number: usize) -> String {
    (1_000_000_000 + 7_919 * number).to_string()
}

/// Times a kind of work: `run` does it so many times.
pub(crate) fn measure(system: &str, senders: usize, work: &str, mut run: impl FnMut(usize)) {
    let mut time = |calls: usize| {
        let begin = Instant::now();
        run(calls);
        begin.elapsed()
    };
    // A first trial says how many calls fit.
    let (mut calls, mut spent) = (0_u32, Duration::ZERO);
    while spent < WARM_UP {
        spent += time(1);
        calls += 1;
    }
    let once = (spent / calls).max(Duration::from_nanos(1));
    let batch = SAMPLE.as_nanos().div_ceil(once.as_nanos()) as usize;
    let count = (BUDGET.as_nanos() / (once.as_nanos() * batch as u128)).clamp(5, 501) as usize;
    let samples = (0..count).map(|_| time(batch) / batch as u32).collect();
    report(system, senders, work, samples);
}

/// Prints the line of one kind of work: system, senders, work, median in nanoseconds, samples.
pub(crate) fn report(system: &str, senders: usize, work: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let median = samples[samples.len() / 2].as_nanos();
    println!("{system}\t{senders}\t{work}\t{median}\t{}", samples.len());
}
