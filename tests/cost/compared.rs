//! A wrong code takes as long as the right one, wherever it goes wrong: counted in instructions.

use std::process::Command;

use dmgate::pairing::PairingCode;

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
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("counts");
    let mut callgrind = Command::new("valgrind");
    callgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    callgrind.arg(std::env::current_exe().unwrap());
    callgrind
        .args(["--exact", "compared::i12_a_wrong_code_costs_what_the_right_one_costs"])
        .env(TYPED, typed);
    let ran = callgrind.output().expect("valgrind is missing: run tests/peers/install.sh");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(out).unwrap();
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.expect("callgrind writes a total").trim().parse().unwrap()
}
