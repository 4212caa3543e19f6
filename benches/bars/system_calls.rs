//! System calls, counted one by one: `strace` runs a program that marks where to begin and where to end.

use std::path::Path;
use std::process::Command;

const MARK: &str = "/nothing-is-here-but-a-mark";

/// Does `work` between two marks.
pub(crate) fn marked(work: impl FnOnce()) {
    let mark = || assert!(!Path::new(MARK).exists());
    mark();
    work();
    mark();
}

/// The system calls that the thread which made the marks made between them, one a line.
pub(crate) fn between_marks(program: &Command) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("calls");
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(&out).arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = strace.output().expect("strace is missing: run tests/peers/install.sh");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(out).unwrap();
    // Each line begins with the thread. One that another thread interrupts is ended by a second line.
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let calls: Vec<(&str, &str)> = lines
        .map(|(thread, call)| (thread, call.trim_start()))
        .filter(|(_, call)| !call.starts_with(['<', '-', '+']))
        .collect();
    let marks: Vec<usize> = (0..calls.len()).filter(|at| calls[*at].1.contains(MARK)).collect();
    let [begin, end] = marks[..] else { panic!("two marks, not {}", marks.len()) };
    let marker = calls[begin].0;
    calls[begin + 1..end].iter().filter(|call| call.0 == marker).map(|call| call.1.to_owned()).collect()
}
