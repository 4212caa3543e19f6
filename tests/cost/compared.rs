//! A wrong code takes as long as the right one, wherever it goes wrong: counted in instructions.

use std::process::Command;

use dmgate::pairing::PairingCode;

use crate::callgrind;

/// Names the code that is typed to this program when it is counted.
const TYPED: &str = "DMGATE_TEST_TYPED";

const RIGHT: &str = "ABCDEFGH";
const TIMES: u64 = 10_000;

#[test]
fn i12_a_wrong_code_costs_what_the_right_one_costs() {
    if let Ok(typed) = std::env::var(TYPED) {
        let [right, typed] = [RIGHT, &typed].map(|code| PairingCode::parse(code).unwrap());
        let _ = (0..TIMES).filter(|_| std::hint::black_box(right.matches(&typed))).count();
        return;
    }
    let _turn = crate::turn();
    let counts = [RIGHT, "ZBCDEFGH", "ABCDEFGZ", "ZZZZZZZZ"].map(|typed| (instructions(typed), typed));
    let (least, most) = (counts.iter().min().unwrap().0, counts.iter().max().unwrap().0);
    // What else the process does differs by less than a thousand; one instruction more for each code is seen.
    assert!(most - least < TIMES / 2, "{counts:?}");
}

fn instructions(typed: &str) -> u64 {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "compared::i12_a_wrong_code_costs_what_the_right_one_costs"]);
    callgrind::instructions(program.env(TYPED, typed))
}
