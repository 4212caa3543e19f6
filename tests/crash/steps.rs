//! Each step of each transaction fails, or is the last one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dmgate::testing::{Fault, Step};

use crate::deed::{DEEDS, Deed, Seen, act, begin, in_the_file, look, open};
use crate::{Faults, child};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Counts the steps, and does `then` at the one of this number.
fn at_step(number: usize, then: Fault) -> (Arc<AtomicUsize>, impl Fn(Step) -> Option<Fault> + Send + Sync) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    (steps, move |_: Step| (counted.fetch_add(1, Ordering::SeqCst) == number).then_some(then))
}

/// The state before, and the state after the deed where nothing goes wrong, with how many steps it takes.
async fn without_faults(faults: &Faults, deed: Deed) -> (Seen, Seen, usize) {
    let temp = crate::scratch();
    begin(temp.path()).await;
    let store = open(temp.path());
    let before = look(&store).await;
    let (steps, count) = at_step(usize::MAX, Fault::Abort);
    faults.arm(count);
    act(&store, deed).await.unwrap();
    faults.disarm();
    (before, look(&store).await, steps.load(Ordering::SeqCst))
}

/// After whatever went wrong: the deed is wholly there or wholly absent, or its first half can only let fewer in; and
/// doing it again brings it about.
async fn check(state: &Path, deed: Deed, told: bool, before: &Seen, after: &Seen, what: &str) {
    let store = open(state);
    let seen = look(&store).await;
    if told {
        assert_eq!(seen, *after, "I4: what was acknowledged is there: {what}");
    }
    // I1, I9: nobody is in that neither the state before nor the state after lets in, and who goes is never let in again.
    assert!(seen.allowed == before.allowed || seen.allowed == after.allowed, "{what}: {seen:?}");
    // I6: a request that is seen is one that was there, or one that is wholly there.
    for who in &seen.waiting {
        assert!(before.waiting.contains(who) || after.waiting.contains(who), "{what}: {seen:?}");
    }
    // I3, for every other reader as well.
    assert!(in_the_file(state) <= 3, "{what}");
    // Doing it again is harmless, and in the end it is done. What was done already may be refused as such.
    let again = act(&store, deed).await;
    let ends = look(&store).await;
    match deed {
        // The first try may have counted, or used the hour.
        Deed::WrongCode => assert!(ends.wrong == after.wrong || ends.wrong == after.wrong + 1, "{what}"),
        Deed::Knock => assert_eq!(ends.waiting, after.waiting, "{what}: {again:?}"),
        // An approval that was interrupted before the notice was noted ends without one: see the owner's answer.
        Deed::ApproveWithNotice => {
            assert_eq!((&ends.allowed, &ends.waiting), (&after.allowed, &after.waiting), "{what}: {again:?}");
        }
        _ => assert_eq!(ends, *after, "{what}: {again:?}"),
    }
    assert!(in_the_file(state) <= 3, "{what}");
    // And whoever opens the files anew sees the same.
    assert_eq!(look(&open(state)).await, ends, "{what}");
}

#[test]
fn i1_i2_i3_i4_i5_i6_a_step_that_fails_leaves_all_or_nothing() {
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    let faults = Faults::turn();
    let runtime = runtime();
    let mut tried = 0;
    for deed in DEEDS {
        let (before, after, steps) = runtime.block_on(without_faults(&faults, deed));
        assert!(steps > 4, "{deed:?} takes locks and writes");
        for number in 0..steps {
            for code in [ENOSPC, EIO] {
                let temp = crate::scratch();
                runtime.block_on(async {
                    begin(temp.path()).await;
                    let store = open(temp.path());
                    look(&store).await;
                    let (_, hook) = at_step(number, Fault::Fail(code));
                    faults.arm(hook);
                    let told = act(&store, deed).await;
                    faults.disarm();
                    drop(store);
                    let what = format!("{deed:?}, step {number} of {steps} fails with {code}, told {told:?}");
                    check(temp.path(), deed, told.is_ok(), &before, &after, &what).await;
                });
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried} cases");
}

#[test]
fn i1_i2_i3_i4_i5_i6_a_process_that_dies_leaves_all_or_nothing() {
    let faults = Faults::turn();
    let runtime = runtime();
    for (place, deed) in DEEDS.into_iter().enumerate() {
        let (before, after, steps) = runtime.block_on(without_faults(&faults, deed));
        for number in 0..steps {
            let temp = crate::scratch();
            runtime.block_on(begin(temp.path()));
            let settings =
                [("DMGATE_TEST_DEED", place.to_string()), ("DMGATE_TEST_STEP", number.to_string())];
            let output = child::run("steps::dies", temp.path(), &settings);
            let told = String::from_utf8_lossy(&output.stdout).contains("TOLD");
            assert!(!output.status.success(), "{deed:?} {number}: it was to die");
            let what = format!("{deed:?}, dies before step {number} of {steps}, told {told}");
            runtime.block_on(check(temp.path(), deed, told, &before, &after, &what));
        }
    }
}

/// The process that dies.
#[test]
fn dies() {
    let Some(state) = child::state() else { return };
    let (deed, number) = (DEEDS[child::setting("DMGATE_TEST_DEED")], child::setting("DMGATE_TEST_STEP"));
    let faults = Faults::turn();
    runtime().block_on(async {
        let store = open(&state);
        look(&store).await;
        let (_, hook) = at_step(number, Fault::Abort);
        faults.arm(hook);
        if act(&store, deed).await.is_ok() {
            std::io::Write::write_all(&mut std::io::stdout(), b"TOLD\n").unwrap();
        }
    });
}
