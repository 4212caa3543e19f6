//! Each step of each transaction fails in each way, or is the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use dmgate::testing::{Fault, Step};

use crate::deed::{DEEDS, Deed, House, Seen, act, all, in_the_file, look, open};
use crate::{Faults, child, runtime};

/// What the disk, the limits of the process and those of the system say: ENOSPC, EIO, EACCES, EMFILE, EROFS, EDQUOT, EINTR.
const ERRORS: [i32; 7] = [28, 5, 13, 24, 30, 122, 4];

/// What a transaction does to a file in place of which a new one is put, before the name is made durable.
const REPLACING: [Step; 4] = [Step::CreateTemp, Step::WriteTemp, Step::SyncTemp, Step::Rename];

pub(crate) const WRITING: [Step; 3] = [Step::WriteLock, Step::WriteTemp, Step::Append];

/// Does `then` at the step of this number, and what `later` says at those that follow; says which steps there were.
pub(crate) fn at_step(
    number: usize,
    then: Fault,
    later: impl Fn(Step) -> Option<Fault> + Send + Sync,
) -> (Arc<Mutex<Vec<Step>>>, impl Fn(Step) -> Option<Fault> + Send + Sync) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&steps);
    (steps, move |step: Step| {
        let mut noted = noted.lock().unwrap();
        noted.push(step);
        match (noted.len() - 1).cmp(&number) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(then),
            std::cmp::Ordering::Greater => later(step),
        }
    })
}

/// A deed where nothing goes wrong.
pub(crate) struct Course {
    pub(crate) before: Seen,
    pub(crate) after: Seen,
    pub(crate) steps: Vec<Step>,
}

impl Course {
    pub(crate) async fn of(faults: &Faults, house: House, deed: Deed) -> Self {
        let temp = crate::scratch();
        house.furnish(temp.path()).await;
        let store = open(temp.path());
        let before = look(&store).await;
        let (steps, note) = at_step(usize::MAX, Fault::Abort, |_| None);
        faults.arm(note);
        act(&store, deed).await.unwrap();
        faults.disarm();
        let steps = steps.lock().unwrap().clone();
        Self { before, after: look(&store).await, steps }
    }

    /// After whatever went wrong: the deed is wholly there or wholly absent, or its first half can only let fewer in;
    /// and doing it again brings it about.
    pub(crate) async fn check(&self, state: &Path, deed: Deed, told: bool, what: &str) {
        let Self { before, after, .. } = self;
        let store = open(state);
        let seen = look(&store).await;
        if told {
            // A round that was interrupted counts a wrong code, and the one after it again.
            let counted = Seen { wrong: seen.wrong.min(after.wrong), ..seen.clone() };
            assert_eq!(counted, *after, "I4: what was acknowledged is there: {what}");
        }
        // I1, I9: nobody is in that neither the state before nor the state after lets in, and who goes is never let in
        // again.
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
            Deed::WrongCode => assert!((after.wrong..=after.wrong + 2).contains(&ends.wrong), "{what}"),
            Deed::Knock => assert_eq!(ends.waiting, after.waiting, "{what}: {again:?}"),
            // An approval that was interrupted before the notice was noted ends without one: see the owner's answer.
            Deed::ApproveWithNotice => {
                assert_eq!(
                    (&ends.allowed, &ends.waiting),
                    (&after.allowed, &after.waiting),
                    "{what}: {again:?}"
                );
            }
            _ => assert_eq!(ends, *after, "{what}: {again:?}"),
        }
        assert!(in_the_file(state) <= 3, "{what}");
        // And whoever opens the files anew sees the same.
        assert_eq!(look(&open(state)).await, ends, "{what}");
    }
}

/// Which steps which deed passes: none is forgotten, so that the tests below try them all.
#[test]
fn i4_every_deed_passes_every_step_that_belongs_to_it() {
    let faults = Faults::turn();
    let runtime = runtime();
    let mut passed: BTreeMap<Step, usize> = BTreeMap::new();
    for house in House::ALL {
        for deed in DEEDS {
            let steps = runtime.block_on(Course::of(&faults, house, deed)).steps;
            let has = |step| steps.contains(&step);
            for step in [Step::Open, Step::Inspect, Step::Read] {
                assert!(has(step), "{deed:?} looks: {step:?} in {steps:?}");
            }
            for step in [Step::Lock, Step::WriteLock, Step::NameLock, Step::Unlock] {
                assert_eq!(has(step), deed != Deed::Load, "{deed:?} takes locks: {step:?} in {steps:?}");
            }
            let writes = has(Step::Rename) || has(Step::Append);
            assert_eq!(writes, deed != Deed::Load, "{deed:?}: {steps:?}");
            let is_in_turn = |step: &Step| REPLACING.contains(step) || *step == Step::SyncDir;
            let in_turn: Vec<Step> = steps.iter().copied().filter(is_in_turn).collect();
            // A new request and the record of it are told of together, and so one sync does for both.
            let at_once = if deed == Deed::Knock { 2 } else { 1 };
            for synced in in_turn.split_inclusive(|step| *step == Step::SyncDir) {
                let replaced = synced.strip_suffix(&[Step::SyncDir]);
                let replaced = replaced.unwrap_or_else(|| panic!("{deed:?}: not durable: {in_turn:?}"));
                assert!(replaced.chunks(4).all(|four| four == REPLACING), "{deed:?}: {in_turn:?}");
                assert!(replaced.len() / 4 <= at_once, "{deed:?}: {in_turn:?}");
            }
            let appends = |step| steps.iter().filter(|other| **other == step).count();
            assert_eq!(appends(Step::Append), appends(Step::SyncAppend), "{deed:?}");
            // Our own lock, and each sidecar.
            assert_eq!(appends(Step::Lock), appends(Step::Unlock), "{deed:?}");
            assert_eq!(has(Step::TakeOver), house == House::LeftBehind && deed != Deed::Load, "{deed:?}");
            steps.into_iter().for_each(|step| *passed.entry(step).or_default() += 1);
        }
    }
    // What belongs to no deed has tests of its own: a new directory, an append that is cut back, a watch.
    let not_here: BTreeSet<Step> = Step::ALL.into_iter().filter(|step| !passed.contains_key(step)).collect();
    assert_eq!(not_here, BTreeSet::from([Step::MakeDir, Step::CutBack, Step::Watch]), "{passed:?}");
}

/// Whether the disk is another after the step. Before a look it is as it was before the last step.
pub(crate) fn changes(step: Step) -> bool {
    !matches!(step, Step::Open | Step::Inspect | Step::Read | Step::Watch)
}

/// The ways in which a step fails: in the short form with one error after the other, and where something is written also
/// when half of it is.
pub(crate) fn failures(step: Step, number: usize) -> Vec<Fault> {
    let errors = if all() { ERRORS.to_vec() } else { vec![ERRORS[number % ERRORS.len()]] };
    let short = errors.iter().map(|code| Fault::Short(*code)).filter(|_| WRITING.contains(&step));
    errors.iter().map(|code| Fault::Fail(*code)).chain(short).collect()
}

/// How often which step failed, or was passed after one that did.
fn fails_at_each(is_tried: fn(Step) -> bool, later: fn(Step) -> Option<Fault>) -> BTreeMap<Step, usize> {
    let faults = Faults::turn();
    let runtime = runtime();
    let mut tried: BTreeMap<Step, usize> = BTreeMap::new();
    let mut cases = 0;
    for house in House::ALL {
        for deed in DEEDS {
            let course = runtime.block_on(Course::of(&faults, house, deed));
            for (number, step) in course.steps.iter().enumerate().filter(|(_, step)| is_tried(**step)) {
                for fault in failures(*step, cases) {
                    cases += 1;
                    let temp = crate::scratch();
                    runtime.block_on(async {
                        house.furnish(temp.path()).await;
                        let store = open(temp.path());
                        look(&store).await;
                        let (steps, hook) = at_step(number, fault, later);
                        faults.arm(hook);
                        let told = act(&store, deed).await;
                        faults.disarm();
                        drop(store);
                        let what =
                            format!("{house:?}, {deed:?}, {fault:?} at {step:?} ({number}), told {told:?}");
                        assert_eq!(steps.lock().unwrap().get(number), Some(step), "{what}");
                        course.check(temp.path(), deed, told.is_ok(), &what).await;
                        for step in steps.lock().unwrap().iter().skip(number) {
                            *tried.entry(*step).or_default() += 1;
                        }
                    });
                }
            }
        }
    }
    println!("{cases} cases");
    tried
}

#[test]
fn i1_i2_i3_i4_i5_i6_a_step_that_fails_leaves_all_or_nothing() {
    let tried = fails_at_each(|_| true, |_| None);
    assert!(tried.contains_key(&Step::CutBack), "what was appended in vain is cut off: {tried:?}");
}

/// A disk that does nothing any more from some step on: neither what was begun nor the mending.
#[test]
fn i1_i2_i3_i4_i5_i6_a_disk_that_fails_from_some_step_on_leaves_all_or_nothing() {
    let tried = fails_at_each(|step| all() || changes(step), |_| Some(Fault::Fail(ERRORS[1])));
    assert!(tried.contains_key(&Step::CutBack), "what can't be cut off stays: {tried:?}");
}

#[test]
fn i1_i2_i3_i4_i5_i6_a_process_that_dies_leaves_all_or_nothing() {
    let faults = Faults::turn();
    let runtime = runtime();
    let mut cases = 0;
    for house in House::ALL {
        for (place, deed) in DEEDS.into_iter().enumerate() {
            let course = runtime.block_on(Course::of(&faults, house, deed));
            let steps = course.steps.iter().enumerate();
            for (number, step) in steps.filter(|(_, step)| all() || changes(**step)) {
                // Before the step; and where something is written, in the middle of it.
                for half in [0, 1].into_iter().take(1 + usize::from(WRITING.contains(step))) {
                    cases += 1;
                    let temp = crate::scratch();
                    runtime.block_on(house.furnish(temp.path()));
                    let settings = [
                        ("DMGATE_TEST_DEED", place.to_string()),
                        ("DMGATE_TEST_STEP", number.to_string()),
                        ("DMGATE_TEST_HALF", half.to_string()),
                    ];
                    let output = child::run("steps::dies", temp.path(), &settings);
                    let told = String::from_utf8_lossy(&output.stdout).contains("TOLD");
                    let what =
                        format!("{house:?}, {deed:?}, dies at {step:?} ({number}), half {half}, told {told}");
                    assert!(!output.status.success(), "{what}: it was to die");
                    runtime.block_on(course.check(temp.path(), deed, told, &what));
                }
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
        let store = open(&state);
        look(&store).await;
        let (_, hook) = at_step(number, fault, |_| None);
        faults.arm(hook);
        if act(&store, deed).await.is_ok() {
            std::io::Write::write_all(&mut std::io::stdout(), b"TOLD\n").unwrap();
        }
    });
}
