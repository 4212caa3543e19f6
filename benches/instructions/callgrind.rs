//! Instructions, counted one by one: `callgrind` runs a program.

use std::process::Command;

/// How many instructions a program takes from its start to its end.
pub(crate) fn instructions(program: &Command) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("counts");
    let mut callgrind = Command::new("valgrind");
    callgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    callgrind.arg(program.get_program()).args(program.get_args());
    callgrind.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = callgrind.output().expect("valgrind is missing: run tests/peers/install.sh");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(out).unwrap();
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.expect("callgrind writes a total").trim().parse().unwrap()
}
