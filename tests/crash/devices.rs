//! The files about devices and nodes at each step of each transaction, and with others in between.

mod between;
mod deed;

use std::path::Path;

use dmgate::testing::{Fault, Step};

use crate::deed::all;
use crate::steps::{WRITING, at_step, changes, failures};
use crate::{Faults, child, runtime};
use deed::{DEEDS, Deed, Seen, act, begin, look, open};

const TAKES_AWAY: [Deed; 5] = [Deed::Reject, Deed::Remove, Deed::Revoke, Deed::Clear, Deed::ClearRequests];

/// A deed where nothing goes wrong.
struct Course {
    before: Seen,
    after: Seen,
    steps: Vec<Step>,
}

impl Course {
    async fn of(faults: &Faults, deed: Deed) -> Self {
        let temp = crate::scratch();
        begin(temp.path()).await;
        let stores = open(temp.path());
        let before = look(&stores).await;
        let (steps, note) = at_step(usize::MAX, Fault::Abort, |_| None);
        faults.arm(note);
        act(&stores, temp.path(), deed).await.unwrap();
        faults.disarm();
        let steps = steps.lock().unwrap().clone();
        Self { before, after: look(&stores).await, steps }
    }

    /// After whatever went wrong: each file is as before or as after; what is there of one is not without what has to be
    /// there before it; and doing it again brings it about.
    async fn check(&self, state: &Path, deed: Deed, told: bool, at: Step, what: &str) {
        let Self { before, after, .. } = self;
        let stores = open(state);
        let seen = look(&stores).await;
        // Who has to leave leaves also where it can't be read what they ask for, and by which code: that lets nobody in.
        if told && !changes(at) && seen.paired == after.paired && TAKES_AWAY.contains(&deed) {
            assert!(deed != Deed::Reject || seen.waiting == after.waiting, "{what}");
            return;
        }
        if told {
            assert_eq!(seen, *after, "I4: what was acknowledged is there: {what}");
        }
        let is_one_of = |of: fn(&Seen) -> &Vec<String>| of(&seen) == of(before) || of(&seen) == of(after);
        let parts: [fn(&Seen) -> &Vec<String>; 5] =
            [|s| &s.paired, |s| &s.waiting, |s| &s.codes, |s| &s.nodes, |s| &s.asking];
        assert!(parts.into_iter().all(is_one_of), "{what}: {seen:?}");
        let leaves = after.paired.len() < before.paired.len();
        let is_done = |of: fn(&Seen) -> &Vec<String>| of(&seen) == of(after);
        // Whoever is let in is so before they wait no more, and before their code is dead; a code serves one key before
        // that asks by it, and is dead before its request is over.
        assert!(
            leaves || is_done(|s| &s.paired) || !is_done(|s| &s.waiting) || before.waiting == after.waiting,
            "{what}"
        );
        assert!(
            is_done(|s| &s.codes) || !is_done(|s| &s.waiting) || before.waiting == after.waiting,
            "{what}"
        );
        assert!(is_done(|s| &s.nodes) || !is_done(|s| &s.asking) || before.asking == after.asking, "{what}");
        let again = act(&stores, state, deed).await;
        let mut ends = look(&stores).await;
        if deed == Deed::Invite && seen == *after {
            // Nobody was told the first one.
            ends.codes.retain(|code| code != "free");
            ends.codes.extend(["free".to_owned(), "free".to_owned()]);
        }
        assert_eq!(ends, *after, "{what}: {again:?}");
        assert!(again.is_ok() || seen == *after || is_done(|s| &s.paired), "{what}: {again:?}");
        assert_eq!(look(&open(state)).await, look(&stores).await, "{what}");
    }
}

#[test]
fn i4_i17_every_deed_with_devices_is_durable_when_it_is_told() {
    let faults = Faults::turn();
    let runtime = runtime();
    for deed in DEEDS {
        let Course { before, after, steps } = runtime.block_on(Course::of(&faults, deed));
        assert_ne!(before, after, "{deed:?}");
        let count = |step| steps.iter().filter(|other| **other == step).count();
        let written = count(Step::Rename);
        assert!(written > 0, "{deed:?}: {steps:?}");
        for step in [Step::CreateTemp, Step::WriteTemp, Step::SyncTemp, Step::SyncDir] {
            assert_eq!(count(step), written, "{deed:?}: {step:?} in {steps:?}");
        }
        assert_eq!(
            (count(Step::Append), count(Step::Lock)),
            (count(Step::SyncAppend), 1),
            "{deed:?}: {steps:?}"
        );
        assert_eq!(
            count(Step::Append) > 0,
            !matches!(deed, Deed::Ask | Deed::Bind | Deed::Come | Deed::Unasked | Deed::NodeAsk),
            "{deed:?}: on record"
        );
    }
}

fn fails_at_each(is_tried: fn(Step) -> bool, later: fn(Step) -> Option<Fault>) {
    let faults = Faults::turn();
    let runtime = runtime();
    let mut cases = 0;
    for deed in DEEDS {
        let course = runtime.block_on(Course::of(&faults, deed));
        for (number, step) in course.steps.iter().enumerate().filter(|(_, step)| is_tried(**step)) {
            for fault in failures(*step, cases) {
                cases += 1;
                let temp = crate::scratch();
                runtime.block_on(async {
                    begin(temp.path()).await;
                    let stores = open(temp.path());
                    look(&stores).await;
                    let (steps, hook) = at_step(number, fault, later);
                    faults.arm(hook);
                    let told = act(&stores, temp.path(), deed).await;
                    faults.disarm();
                    drop(stores);
                    let what = format!("{deed:?}, {fault:?} at {step:?} ({number}), told {told:?}");
                    assert_eq!(steps.lock().unwrap().get(number), Some(step), "{what}");
                    course.check(temp.path(), deed, told.is_ok(), *step, &what).await;
                });
            }
        }
    }
    println!("{cases} cases");
    assert!(cases > 300, "{cases}");
}

#[test]
fn i4_i17_a_step_that_fails_leaves_all_or_nothing_of_devices() {
    fails_at_each(|_| true, |_| None);
}

#[test]
fn i4_i17_a_disk_that_fails_from_some_step_on_leaves_all_or_nothing_of_devices() {
    fails_at_each(|step| all() || changes(step), |_| Some(Fault::Fail(5)));
}

#[test]
fn i4_i17_a_process_that_dies_leaves_all_or_nothing_of_devices() {
    let faults = Faults::turn();
    let runtime = runtime();
    let mut cases = 0;
    for (place, deed) in DEEDS.into_iter().enumerate() {
        let course = runtime.block_on(Course::of(&faults, deed));
        for (number, step) in course.steps.iter().enumerate().filter(|(_, step)| all() || changes(**step)) {
            for half in [0, 1].into_iter().take(1 + usize::from(WRITING.contains(step))) {
                cases += 1;
                let temp = crate::scratch();
                runtime.block_on(begin(temp.path()));
                let settings = [
                    ("DMGATE_TEST_DEED", place.to_string()),
                    ("DMGATE_TEST_STEP", number.to_string()),
                    ("DMGATE_TEST_HALF", half.to_string()),
                ];
                let output = child::run("devices::dies", temp.path(), &settings);
                let told = String::from_utf8_lossy(&output.stdout).contains("TOLD");
                let what = format!("{deed:?}, dies at {step:?} ({number}), half {half}, told {told}");
                assert!(!output.status.success(), "{what}: it was to die");
                runtime.block_on(course.check(temp.path(), deed, told, *step, &what));
            }
        }
    }
    println!("{cases} cases");
}

/// The process that dies.
#[test]
fn dies() {
    let Some(state) = child::state() else { return };
    let (deed, number) = (DEEDS[child::setting("DMGATE_TEST_DEED")], child::setting("DMGATE_TEST_STEP"));
    let fault = if child::setting("DMGATE_TEST_HALF") == 1 { Fault::ShortAbort } else { Fault::Abort };
    let faults = Faults::turn();
    runtime().block_on(async {
        let stores = open(&state);
        look(&stores).await;
        let (_, hook) = at_step(number, fault, |_| None);
        faults.arm(hook);
        if act(&stores, &state, deed).await.is_ok() {
            std::io::Write::write_all(&mut std::io::stdout(), b"TOLD\n").unwrap();
        }
    });
}
