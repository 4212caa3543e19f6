//! What the owner is told is done is durable; and what else a transaction leaves on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dmgate::store::{FileOptions, FileStore};
use dmgate::testing::{Fault, ManualClock, Step};

use crate::deed::{Deed, NOW, act, begin, open};
use crate::{Faults, child};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// Fails every step of this kind, and counts them.
fn failing(step: Step, with: Fault) -> (Arc<AtomicUsize>, impl Fn(Step) -> Option<Fault> + Send + Sync) {
    let times = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&times);
    (times, move |at| {
        counted.fetch_add(usize::from(at == step), Ordering::SeqCst);
        (at == step).then_some(with)
    })
}

/// The new list is in its place, and the sync of the directory failed: the owner was told so. Whoever does it again finds
/// it done, and must not say so before the sync went well.
#[tokio::test]
async fn i4_i9_what_is_found_done_is_made_durable_before_it_is_told() {
    let faults = Faults::turn();
    let again = [
        Deed::Allow,
        Deed::AllowAliasAnew,
        Deed::Revoke,
        Deed::RevokeAlias,
        Deed::Block,
        Deed::Unblock,
        Deed::Bind,
    ];
    for deed in again {
        let temp = crate::scratch();
        begin(temp.path()).await;
        // In another process, which ends like a command.
        act(&open(temp.path()), deed).await.unwrap();
        let store = open(temp.path());
        let (syncs, hook) = failing(Step::SyncDir, Fault::Fail(EIO));
        faults.arm(hook);
        let told = act(&store, deed).await;
        faults.disarm();
        assert!(told.is_err() && syncs.load(Ordering::SeqCst) > 0, "{deed:?}: {told:?}");
        act(&store, deed).await.unwrap();
    }
}

/// So it is also where something else is left to be noted: a request of another program, which has no hour in our record.
#[tokio::test]
async fn i4_i9_what_is_found_done_is_made_durable_beside_what_is_not() {
    let faults = Faults::turn();
    for deed in [Deed::Allow, Deed::Revoke] {
        let temp = crate::scratch();
        begin(temp.path()).await;
        let store = open(temp.path());
        act(&store, deed).await.unwrap();
        let path = temp.path().join("credentials/alpha-pairing.json");
        let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let now = dmgate::Timestamp::from_millis(NOW).to_string();
        let theirs = serde_json::json!({
            "id": "theirs", "code": "ABCDEFGH", "createdAt": now, "lastSeenAt": now,
        });
        document["requests"].as_array_mut().unwrap().push(theirs);
        std::fs::File::create(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, document.to_string().as_bytes()))
            .unwrap();
        let (syncs, hook) = failing(Step::SyncDir, Fault::Fail(EIO));
        faults.arm(hook);
        let told = act(&store, deed).await;
        faults.disarm();
        assert!(told.is_err() && syncs.load(Ordering::SeqCst) > 0, "{deed:?}: {told:?}");
        act(&store, deed).await.unwrap();
    }
}

/// A sync that fails is not tried again in the same breath: the second one may succeed and have written nothing.
#[tokio::test]
async fn i4_a_sync_that_failed_is_final() {
    let faults = Faults::turn();
    for step in [Step::SyncTemp, Step::SyncDir, Step::SyncAppend] {
        let temp = crate::scratch();
        begin(temp.path()).await;
        let store = open(temp.path());
        let (syncs, hook) = failing(step, Fault::Fail(EIO));
        faults.arm(hook);
        let told = act(&store, Deed::Knock).await;
        faults.disarm();
        assert!(told.is_err(), "{step:?}");
        assert_eq!(syncs.load(Ordering::SeqCst), 1, "{step:?}");
    }
}

/// A damaged pending file keeps nobody from blocking; one that can't be read just now does, for it may be whole.
#[tokio::test]
async fn i7_trouble_that_passes_is_not_taken_for_damage() {
    let faults = Faults::turn();
    // The record is read first, then the pending file.
    for read in [0, 1] {
        let temp = crate::scratch();
        begin(temp.path()).await;
        let store = open(temp.path());
        let reads = AtomicUsize::new(0);
        faults.arm(move |at| {
            (at == Step::Read && reads.fetch_add(1, Ordering::SeqCst) == read).then_some(Fault::Fail(EIO))
        });
        assert!(act(&store, Deed::Block).await.is_err(), "read {read}");
        faults.disarm();
        act(&store, Deed::Block).await.unwrap();
    }
}

#[tokio::test]
async fn an_audit_that_fails_changes_nothing_and_half_a_line_spoils_no_other() {
    let faults = Faults::turn();
    let temp = crate::scratch();
    begin(temp.path()).await;
    let store = open(temp.path());
    // These two append to nothing but the audit.
    let (lines, hook) = failing(Step::Append, Fault::Short(ENOSPC));
    faults.arm(hook);
    act(&store, Deed::Unblock).await.unwrap();
    faults.disarm();
    assert_eq!(lines.load(Ordering::SeqCst), 1);
    act(&store, Deed::Block).await.unwrap();
    let text = std::fs::read_to_string(temp.path().join("audit.jsonl")).unwrap();
    let (whole, half): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    assert_eq!(half.len(), 1, "{text}");
    let last: serde_json::Value = serde_json::from_str(whole.last().unwrap()).unwrap();
    assert_eq!((&last["action"], &last["sender"]), (&"block".into(), &"waits".into()), "{text}");
}

fn first_start(state: &std::path::Path) -> Result<FileStore, String> {
    let options = FileOptions::new(state.join("a/b"));
    FileStore::open(options, ManualClock::at(NOW).world()).map_err(|error| error.to_string())
}

/// The directories are made, each durably; whatever fails or dies on the way, the next start makes the rest.
#[test]
fn a_first_start_that_fails_or_dies_is_done_by_the_next() {
    let faults = Faults::turn();
    let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&steps);
    faults.arm(move |step| {
        noted.lock().unwrap().push(step);
        None
    });
    first_start(crate::scratch().path()).unwrap();
    faults.disarm();
    let steps = steps.lock().unwrap().clone();
    let made = steps.windows(2).filter(|two| *two == [Step::MakeDir, Step::SyncDir]).count();
    assert_eq!(made, 3, "{steps:?}");
    for (number, step) in steps.into_iter().enumerate() {
        for code in [ENOSPC, EIO] {
            let temp = crate::scratch();
            let passed = AtomicUsize::new(0);
            faults
                .arm(move |_| (passed.fetch_add(1, Ordering::SeqCst) == number).then_some(Fault::Fail(code)));
            let told = first_start(temp.path());
            faults.disarm();
            // Leftovers that could not be looked for are no reason not to begin, nor is a watch that could not be had.
            assert!(told.is_err() || matches!(step, Step::Inspect | Step::Watch), "{step:?}");
            first_start(temp.path()).unwrap();
        }
        let temp = crate::scratch();
        let settings = [("DMGATE_TEST_STEP", number.to_string())];
        assert!(!child::run("durable::starts", temp.path(), &settings).status.success(), "{step:?}");
        first_start(temp.path()).unwrap();
    }
}

/// The process that dies as it starts.
#[test]
fn starts() {
    let Some(state) = child::state() else { return };
    let (faults, number, passed) = (Faults::turn(), child::setting("DMGATE_TEST_STEP"), AtomicUsize::new(0));
    faults.arm(move |_| (passed.fetch_add(1, Ordering::SeqCst) == number).then_some(Fault::Abort));
    drop(first_start(&state));
}
