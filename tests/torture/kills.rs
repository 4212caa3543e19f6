//! Eight processes, killed at any moment.

use rand::RngExt as _;

use crate::crew::{Crew, WORKERS};
use crate::{rounds, turn};

/// How many are killed one by one until all are, and time goes by.
const ONE_BY_ONE: usize = 8;

#[test]
fn i1_i2_i3_i4_i5_i6_whoever_is_killed_leaves_all_or_nothing() {
    let _turn = turn();
    // On a disk, where most of a transaction is waiting for it: who is killed there dies between two steps.
    let temp = tempfile::tempdir().unwrap();
    let mut crew = Crew::start(&temp.path().join("state"), &temp.path().join("clock"));
    let (wanted, mut kills) = (rounds("DMGATE_KILLS", 25), 0);
    while kills < wanted {
        for _ in 0..ONE_BY_ONE {
            crew.follow(rand::rng().random_range(1..12));
            let number = victim(&crew);
            crew.kill(number);
            crew.look();
            crew.start_again(number);
            crew.go_on();
        }
        crew.follow(rand::rng().random_range(1..12));
        crew.next_era();
        kills += ONE_BY_ONE + usize::from(WORKERS);
    }
    println!("{kills} kills in the midst of {:?}; changes: {:?}", crew.cut_off, crew.changes);
}

/// Anybody, or whoever is in the midst of a transaction.
fn victim(crew: &Crew) -> u8 {
    const LOOKS: usize = 1_000;
    if rand::random()
        && let Some(number) = (0..LOOKS).find_map(|_| crew.holder())
    {
        // At the beginning of it, or later.
        (0..rand::rng().random_range(0..2_000)).for_each(|_| std::hint::spin_loop());
        return number;
    }
    rand::rng().random_range(0..WORKERS)
}
