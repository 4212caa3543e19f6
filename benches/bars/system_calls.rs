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
    let (marker, calls) = of_all_threads(program);
    calls.into_iter().filter(|call| call.0 == marker).map(|call| call.1).collect()
}

/// The thread that made the marks; and the system calls between them with the threads that made them. Files have names.
pub(crate) fn of_all_threads(program: &Command) -> (String, Vec<(String, String)>) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-o"]).arg(&out).arg(program.get_program()).args(program.get_args());
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
    let owned = |call: &(&str, &str)| (call.0.to_owned(), call.1.to_owned());
    (calls[begin].0.to_owned(), calls[begin + 1..end].iter().map(owned).collect())
}
