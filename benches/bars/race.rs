//! A piece of work beside the least that it could cost.
//!
//! The machine may be shared, and its speed changes from second to second. So floor and subject take turns, round by
//! round, and what counts is the median of the ratios of each round; a harness that measures one after the other would
//! compare two moments of the machine. The times beside it are those of the best round, or, where a round is one piece
//! of work, of the median one.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Nanoseconds of one piece of work each, and how they compare.
#[derive(Clone, Copy)]
pub(crate) struct Race {
    pub(crate) floor: f64,
    pub(crate) subject: f64,
    /// Median of subject / floor.
    pub(crate) ratio: f64,
    /// Median of subject - floor.
    pub(crate) beyond: f64,
}

/// Runs both in turns. Each round of either is `pieces` of work and says how long it took.
pub(crate) fn race(
    rounds: usize,
    pieces: usize,
    mut floor: impl FnMut() -> Duration,
    mut subject: impl FnMut() -> Duration,
) -> Race {
    let one = |took: Duration| took.as_secs_f64() * 1e9 / pieces as f64;
    let mut taken = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // Neither always comes after the other: who comes second finds a warmer machine.
        if round % 2 == 0 {
            let first = one(floor());
            taken.push((first, one(subject())));
        } else {
            let first = one(subject());
            taken.push((one(floor()), first));
        }
    }
    let typical = |all: Vec<f64>| match pieces {
        1 => median(all),
        _ => all.into_iter().fold(f64::INFINITY, f64::min),
    };
    Race {
        floor: typical(taken.iter().map(|(floor, _)| *floor).collect()),
        subject: typical(taken.iter().map(|(_, subject)| *subject).collect()),
        ratio: median(taken.iter().map(|(floor, subject)| subject / floor).collect()),
        beyond: median(taken.iter().map(|(floor, subject)| subject - floor).collect()),
    }
}

pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// Does the work of each thread at the same time; from the first that begins to the last that ends.
pub(crate) fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let (ready, work) = (Barrier::new(threads), &work);
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let ready = &ready;
        let run = |number| {
            scope.spawn(move || {
                ready.wait();
                let begin = Instant::now();
                work(number);
                (begin, Instant::now())
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let begin = spans.iter().map(|(begin, _)| *begin).min().unwrap();
    spans.iter().map(|(_, end)| *end).max().unwrap() - begin
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
