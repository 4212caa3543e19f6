//! Futures that nobody waits for any more, given up at each place where they wait.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use dmgate::pairing::Knocked;
use dmgate::store::{FileOptions, FileStore};
use dmgate::testing::ManualClock;
use dmgate::{DmGate, InboundMessage, Sender, Strength};

use crate::deed::{DEEDS, Deed, House, NOW, act, actor, begin, id, key, knock_of, look, open};
use crate::steps::Course;
use crate::{Faults, runtime};

/// Keeps the thread for all that blocks from all else until it is told to end.
fn busy() -> impl AsyncFnOnce() {
    let (free, is_free) = std::sync::mpsc::channel::<()>();
    let busy = tokio::task::spawn_blocking(move || is_free.recv().is_ok());
    async move || {
        drop(free);
        busy.await.unwrap();
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
}

async fn settle() {
    busy()().await;
}

/// Polls a future so often, and lets end what it began each time, though not before; what it came to, if it is ready.
async fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>, times: usize) -> Option<T> {
    for _ in 0..times {
        let go_on = busy();
        let ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        go_on().await;
        if let Poll::Ready(value) = ready {
            return Some(value);
        }
    }
    None
}

/// Whatever a store does, once it was begun it is done as if somebody waited.
#[test]
fn i4_a_transaction_that_nobody_waits_for_is_done_all_the_same() {
    let faults = Faults::turn();
    let runtime = runtime();
    for house in House::ALL {
        for deed in DEEDS {
            let course = runtime.block_on(Course::of(&faults, house, deed));
            for polls in 0.. {
                let temp = crate::scratch();
                let what = format!("{house:?}, {deed:?}, given up after {polls} polls");
                let is_over = runtime.block_on(async {
                    house.furnish(temp.path()).await;
                    let store = open(temp.path());
                    let mut future: Pin<Box<dyn Future<Output = _>>> = Box::pin(act(&store, deed));
                    let told = poll(&mut future, polls).await;
                    drop(future);
                    settle().await;
                    let seen = look(&store).await;
                    match polls {
                        0 => assert_eq!(seen, course.before, "{what}"),
                        // This one looks first which request it is.
                        _ if deed == Deed::Sending && told.is_none() => {
                            assert!(seen == course.before || seen == course.after, "{what}: {seen:?}");
                        }
                        _ => assert_eq!(seen, course.after, "{what}"),
                    }
                    course.check(temp.path(), deed, told.is_some(), &what).await;
                    told.is_some()
                });
                if is_over {
                    assert!(polls > 1 || deed == Deed::Load, "{what}: it was to wait somewhere");
                    break;
                }
            }
        }
    }
}

/// Who is told what after a message whose answer nobody waited for.
struct Asked {
    ids: &'static [&'static str],
    /// What the same sender may be told next.
    next: &'static [&'static str],
}

const MESSAGES: [Asked; 4] = [
    Asked { ids: &["in"], next: &["allowlisted"] },
    Asked { ids: &["new"], next: &["pairing_required", "already_pending"] },
    Asked { ids: &["holder", "listed"], next: &["allowlisted"] },
    Asked { ids: &["out"], next: &["blocked"] },
];

#[test]
fn i1_i2_i6_i15_an_admission_that_nobody_waits_for_spoils_no_other() {
    let _turn = Faults::turn();
    let runtime = runtime();
    for asked in MESSAGES {
        for polls in 0.. {
            let temp = crate::scratch();
            let is_over = runtime.block_on(async {
                begin(temp.path()).await;
                open(temp.path()).allow(&key(), &id("listed"), &actor()).await.unwrap();
                let clock = ManualClock::at(NOW).world();
                let store = FileStore::open(FileOptions::new(temp.path()), clock.clone()).unwrap();
                let gate = DmGate::builder().world(clock).store(store).build();
                let message = |ids: &[&str]| {
                    let aliases = ids[1..].iter().map(|alias| id(alias)).collect();
                    let sender = Sender::with_parts(id(ids[0]), aliases, Strength::Authenticated, None);
                    InboundMessage::direct(key(), sender, "hello")
                };
                let first = message(asked.ids);
                let mut future: Pin<Box<dyn Future<Output = _>>> = Box::pin(gate.admit(&first));
                let told = poll(&mut future, polls).await;
                drop(future);
                let what = format!("{:?}, given up after {polls} polls, told {told:?}", asked.ids);
                settle().await;
                // Others first: what was given up holds nothing that they need.
                let other = gate.admit(&message(&["in"])).await.reason().as_str();
                assert_eq!(other, "allowlisted", "{what}");
                let again = gate.admit(&message(asked.ids)).await.reason().as_str();
                assert!(asked.next.contains(&again), "{what}: {again}");
                let given = usize::from(again == "pairing_required")
                    + usize::from(
                        told.as_ref().is_some_and(|told| told.reason().as_str() == "pairing_required"),
                    );
                assert!(given <= 1, "I2: {what}");
                look(&open(temp.path())).await;
                if let [_, alias] = asked.ids {
                    let thief = gate.admit(&message(&["thief", alias])).await.reason().as_str();
                    assert_eq!(thief, "pairing_required", "{what}");
                }
                told.is_some()
            });
            if is_over {
                break;
            }
        }
    }
}

/// Strangers who wait for one transaction: whoever gives up, the others are answered.
#[test]
fn i3_i6_who_gives_up_in_the_queue_takes_nobody_along() {
    let _turn = Faults::turn();
    let runtime = runtime();
    for given_up in 0..3 {
        for polls in 0..3 {
            let temp = crate::scratch();
            runtime.block_on(async {
                let store = open(temp.path());
                let at = key();
                let go_on = busy();
                let mut asked: Vec<_> =
                    ["a", "b", "c"].map(|who| store.knock(at.channel(), knock_of(who))).into();
                for future in &mut asked {
                    for _ in 0..polls {
                        let ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
                        assert!(!ready);
                    }
                }
                drop(asked.remove(given_up));
                go_on().await;
                for future in asked {
                    assert!(matches!(future.await, Ok(Knocked::Issued(_))), "{given_up} {polls}");
                }
                settle().await;
                let waiting = look(&store).await.waiting.len();
                assert_eq!(waiting, if polls == 0 { 2 } else { 3 }, "{given_up} {polls}");
            });
        }
    }
}
