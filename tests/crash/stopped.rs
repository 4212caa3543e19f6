//! A process of ours that is stopped in the middle, for longer than the neighbour's rule lets a lock live.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::Child;

use dmgate::testing::Step;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::deed::{Deed, House, act, look, open};
use crate::steps::{Course, changes};
use crate::{Faults, child, runtime};

/// A program that keeps to the established lock, and to which a lock that it finds is more than 30 seconds old.
fn neighbour_adds(state: &Path, entry: &str) {
    let list = state.join("credentials/alpha-allowFrom.json");
    let lock = state.join("credentials/alpha-allowFrom.json.lock");
    let put = |path: &Path, text: &str| {
        let file = std::fs::File::options().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
    };
    drop(std::fs::remove_file(&lock));
    let pid = std::process::id();
    put(&lock, &format!(r#"{{"pid": {pid}, "createdAt": "2030-03-17T17:46:40.000Z"}}"#));
    let text = std::fs::read_to_string(&list).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["allowFrom"].as_array_mut().unwrap().push(entry.into());
    put(&list.with_extension("theirs"), &document.to_string());
    rustix::fs::rename(list.with_extension("theirs"), &list).unwrap();
    std::fs::remove_file(&lock).unwrap();
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

#[test]
fn i4_i9_i13_who_is_stopped_finds_that_it_lost_its_lock_and_begins_again() {
    let faults = Faults::turn();
    let runtime = runtime();
    let course = runtime.block_on(Course::of(&faults, House::Kept, Deed::Allow));
    for (number, step) in course.steps.iter().enumerate().filter(|(_, step)| changes(**step)) {
        let temp = crate::scratch();
        let what = format!("stopped at {step:?} ({number})");
        runtime.block_on(House::Kept.furnish(temp.path()));
        // Before the other begins: what it leaves half-way is years old to this clock, and would be swept.
        let store = open(temp.path());
        let mut child =
            child::command("stopped::stops", temp.path(), &[("DMGATE_TEST_STEP", number.to_string())])
                .spawn()
                .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.is_ok_and(|line| line == "HERE")), "{what}");
        kill_process(pid_of(&child), Signal::STOP).unwrap();
        let (_, status) = waitpid(Some(pid_of(&child)), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{what}");
        runtime.block_on(async {
            // A look needs no lock; a change waits for ours, and says who holds it.
            assert!(look(&store).await.allowed.contains("in"), "{what}");
            if course.steps[..number].contains(&Step::Lock) && !course.steps[..number].contains(&Step::Unlock)
            {
                let told = act(&store, Deed::Block).await.expect_err(&what);
                assert!(told.contains(&format!("process {}", child.id())), "{what}: {told}");
            }
        });
        neighbour_adds(temp.path(), "theirs");
        child.stdin.take().unwrap().write_all(b".").unwrap();
        kill_process(pid_of(&child), Signal::CONT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        let seen = runtime.block_on(async { look(&open(temp.path())).await });
        assert!(seen.allowed.contains("waits"), "I4: {what}: {seen:?}");
        assert!(seen.allowed.contains("theirs"), "I13: {what}: {seen:?}");
    }
}

/// The process that is stopped.
#[test]
fn stops() {
    let Some(state) = child::state() else { return };
    let (faults, number) = (Faults::turn(), child::setting("DMGATE_TEST_STEP"));
    runtime().block_on(async {
        let store = open(&state);
        look(&store).await;
        let passed = std::sync::atomic::AtomicUsize::new(0);
        faults.arm(move |_| {
            if passed.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == number {
                // Here it stands still until it is stopped, so that it is stopped here.
                std::io::stdout().write_all(b"\nHERE\n").unwrap();
                std::io::stdin().read_exact(&mut [0]).unwrap();
            }
            None
        });
        act(&store, Deed::Allow).await.unwrap();
    });
}
