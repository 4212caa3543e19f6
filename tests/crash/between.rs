//! Others who come between two files of one transaction.

use std::sync::atomic::{AtomicBool, Ordering};

use dmgate::pairing::{Approval, Target};
use dmgate::testing::Step;

use crate::Faults;
use crate::deed::{Deed, act, actor, begin, id, key, look, open};

/// A program without any lock writes the pending file while an approval is half done.
#[tokio::test]
async fn i4_i13_an_approval_that_is_interrupted_is_done_again_and_told() {
    let faults = Faults::turn();
    for drops_the_request in [false, true] {
        let temp = crate::scratch();
        begin(temp.path()).await;
        let store = open(temp.path());
        let path = temp.path().join("credentials/alpha-pairing.json");
        let came = AtomicBool::new(false);
        faults.arm(move |step| {
            if step == Step::BetweenFiles && !came.swap(true, Ordering::SeqCst) {
                let text = std::fs::read_to_string(&path).unwrap();
                let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
                document["noted"] = "by somebody".into();
                if drops_the_request {
                    document["requests"].as_array_mut().unwrap().retain(|r| r["id"] != "waits");
                }
                let new = path.with_extension("new");
                std::fs::File::create(&new)
                    .and_then(|mut file| {
                        std::io::Write::write_all(&mut file, document.to_string().as_bytes())
                    })
                    .unwrap();
                rustix::fs::rename(&new, &path).unwrap();
            }
            None
        });
        let target = Target::Sender(id("waits"));
        let approval = Approval { target, account: None, notify: true };
        let told = store.approve(key().channel(), approval, &actor()).await;
        faults.disarm();
        assert_eq!(told.unwrap().id, id("waits"), "drops the request: {drops_the_request}");
        let seen = look(&store).await;
        assert!(seen.allowed.contains("waits") && !seen.waiting.contains("waits"), "{seen:?}");
        let sends = store.load(&key()).await.snapshot.record.as_ref().unwrap().1.sends.clone();
        assert!(sends.iter().any(|send| send.to == "waits"), "the notice is noted: {sends:?}");
        let text = std::fs::read_to_string(temp.path().join("credentials/alpha-pairing.json")).unwrap();
        assert!(text.contains("by somebody"), "I10: what they noted is there: {text}");
    }
}

/// Somebody writes the list without a lock right after we did: what we acknowledged is done again.
#[tokio::test]
async fn i13_a_list_that_is_overwritten_before_the_answer_is_written_again() {
    let faults = Faults::turn();
    let temp = crate::scratch();
    begin(temp.path()).await;
    let store = open(temp.path());
    let path = temp.path().join("credentials/alpha-allowFrom.json");
    let old = std::fs::read(&path).unwrap();
    let renames = std::sync::atomic::AtomicUsize::new(0);
    faults.arm(move |step| {
        // The directory of the first file is synced: the rename is done, the check after it is not.
        if step == Step::SyncDir && renames.fetch_add(1, Ordering::SeqCst) == 0 {
            let new = path.with_extension("new");
            std::fs::File::create(&new)
                .and_then(|mut file| std::io::Write::write_all(&mut file, &old))
                .unwrap();
            rustix::fs::rename(&new, &path).unwrap();
        }
        None
    });
    act(&store, Deed::Allow).await.unwrap();
    faults.disarm();
    assert!(look(&store).await.allowed.contains("waits"));
}

/// Whoever comes between again and again is told of, in bounds.
#[tokio::test]
async fn i7_i13_a_file_that_never_rests_is_given_up() {
    let faults = Faults::turn();
    let temp = crate::scratch();
    begin(temp.path()).await;
    let store = open(temp.path());
    let path = temp.path().join("credentials/alpha-pairing.json");
    faults.arm(move |step| {
        if step == Step::SyncTemp {
            let text = std::fs::read(&path).unwrap();
            let new = path.with_extension("new");
            std::fs::File::create(&new)
                .and_then(|mut file| std::io::Write::write_all(&mut file, &text))
                .unwrap();
            rustix::fs::rename(&new, &path).unwrap();
        }
        None
    });
    let told = act(&store, Deed::Knock).await;
    faults.disarm();
    assert!(told.is_err_and(|error| error.contains("locked: true")), "it is a matter of locks");
    assert!(!look(&store).await.waiting.contains("new"));
    act(&store, Deed::Knock).await.unwrap();
}
