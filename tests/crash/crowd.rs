//! Many at once: in one process, in several, and futures that nobody waits for.

use std::future::Future as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use dmgate::store::{FileOptions, FileStore};
use dmgate::testing::{ManualClock, Step};
use dmgate::{
    AccountKey, AccountPolicy, Clock, Decision, DmGate, DmPolicy, InboundMessage, Limits, PendingScope,
    Sender, SenderId, Timestamp, World,
};

use crate::{Faults, child};

/// A clock that stands still; who waits for a lock waits for the others in earnest.
struct Standing(ManualClock);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn ticks(&self) -> u64 {
        self.0.ticks()
    }

    fn pause(&self, duration: Duration) {
        dmgate::SystemClock.pause(duration);
    }
}

fn gate(state: &std::path::Path, scope: PendingScope) -> DmGate {
    let world = World { clock: Arc::new(Standing(ManualClock::now())), ..World::default() };
    let options = FileOptions { lock_wait: Duration::from_secs(600), ..FileOptions::new(state) };
    let store = FileStore::open(options, world.clone()).unwrap();
    let limits = Limits { pending_scope: scope, ..Limits::default() };
    let policy = AccountPolicy::new(at("default").channel(), DmPolicy::Pairing, [], limits).unwrap();
    DmGate::builder().world(world).store(store).policy(policy).build()
}

fn at(account: &str) -> AccountKey {
    AccountKey::parse("alpha", account).unwrap()
}

fn hello(at: &AccountKey, who: &str) -> InboundMessage {
    let id = SenderId::parse(at.channel(), who).unwrap();
    InboundMessage::direct(at.clone(), Sender::new(id), "hello")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// How many of these strangers get a code, all at once.
async fn codes(gate: &DmGate, strangers: impl Iterator<Item = InboundMessage>) -> usize {
    let asked: Vec<_> = strangers
        .map(|message| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.admit(&message).await })
        })
        .collect();
    let mut codes = 0;
    for answer in asked {
        match answer.await.unwrap() {
            Decision::Challenge(_) => codes += 1,
            Decision::Ignore(refusal) => assert_eq!(refusal.reason.as_str(), "pending_full"),
            other => panic!("{other:?}"),
        }
    }
    codes
}

#[test]
fn i3_i11_a_hundred_at_once_get_three_codes_and_cost_few_writes() {
    let faults = Faults::turn();
    let temp = crate::scratch();
    let gate = gate(temp.path(), PendingScope::Channel);
    let renames = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&renames);
    faults.arm(move |step| {
        counted.fetch_add(usize::from(step == Step::Rename), Ordering::SeqCst);
        None
    });
    let strangers = (0..100).map(|n| hello(&at("default"), &format!("s{n}")));
    assert_eq!(runtime().block_on(codes(&gate, strangers)), 3);
    faults.disarm();
    // The pending file, and our record, which is new.
    let renames = renames.load(Ordering::SeqCst);
    assert!((2..=4).contains(&renames), "{renames} replaces");
}

/// Who waits for the same locks shares one look and one write.
#[test]
fn i11_a_hundred_who_wait_for_one_lock_cost_two_writes() {
    let faults = Faults::turn();
    let temp = crate::scratch();
    let gate = gate(temp.path(), PendingScope::Channel);
    let renames = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&renames);
    faults.arm(move |step| {
        counted.fetch_add(usize::from(step == Step::Rename), Ordering::SeqCst);
        None
    });
    let lock = std::fs::File::create(temp.path().join("credentials/alpha-dmgate.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let knock = |who: String| dmgate::pairing::Knock {
        limits: Limits { pending_max: 100, ..Limits::default() },
        ..crate::deed::knock_of(&who)
    };
    runtime().block_on(async {
        let channel = at("default").channel().clone();
        let mut asked: Vec<_> =
            (0..100).map(|n| gate.store().knock(&channel, knock(format!("s{n}")))).collect();
        for future in &mut asked {
            // From its first poll on it waits in line.
            let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
            assert!(!polled);
        }
        drop(lock);
        for future in asked {
            assert!(matches!(future.await, Ok(dmgate::pairing::Knocked::Issued(_))));
        }
    });
    faults.disarm();
    // Those who came before the first look, those who came after it, and our record, which is new.
    let renames = renames.load(Ordering::SeqCst);
    assert!((2..=3).contains(&renames), "{renames} replaces");
}

#[test]
fn i2_i5_one_sender_at_once_gets_one_code() {
    let _turn = Faults::turn();
    let temp = crate::scratch();
    let gate = gate(temp.path(), PendingScope::Channel);
    runtime().block_on(async {
        let asked: Vec<_> = (0..64)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.admit(&hello(&at("default"), "1")).await.reason().as_str() })
            })
            .collect();
        let mut said = Vec::new();
        for answer in asked {
            said.push(answer.await.unwrap());
        }
        assert_eq!(said.iter().filter(|said| **said == "pairing_required").count(), 1, "{said:?}");
        assert_eq!(said.iter().filter(|said| **said == "already_pending").count(), 63, "{said:?}");
    });
}

/// Channels of each race; `tests/long.sh` has the long form.
fn races() -> usize {
    std::env::var("DMGATE_RACES").map_or(10, |races| races.parse().unwrap())
}

/// Processes in each race, and strangers of each on each account.
const RACERS: usize = 16;
const STRANGERS: usize = 20;

#[test]
fn i3_sixteen_processes_of_twenty_strangers_make_three_codes() {
    race("channel", &[3]);
}

#[test]
fn i3_i8_sixteen_processes_of_twenty_strangers_make_three_codes_for_each_account() {
    race("account", &[3, 3]);
}

/// The children work through the channels; each begins one when it is told to, and says how many codes it gave.
fn race(scope: &str, expected: &[usize]) {
    let _turn = Faults::turn();
    let temp = crate::scratch();
    drop(gate(temp.path(), PendingScope::Channel));
    let mut children: Vec<_> = (0..RACERS)
        .map(|number| {
            let settings =
                [("DMGATE_TEST_SCOPE", scope.to_owned()), ("DMGATE_TEST_CHILD", number.to_string())];
            let mut child = child::command("crowd::strangers", temp.path(), &settings).spawn().unwrap();
            let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
            (child, to, from.lines())
        })
        .collect();
    for number in 0..races() {
        for (_, to, _) in &mut children {
            // A channel that nobody used yet.
            writeln!(to, "c{number}").unwrap();
        }
        let mut given = vec![0; expected.len()];
        for (_, _, from) in &mut children {
            let line = from.find_map(|line| line.unwrap().strip_prefix("CODES ").map(str::to_owned)).unwrap();
            for (sum, codes) in given.iter_mut().zip(line.split(' ')) {
                *sum += codes.parse::<usize>().unwrap();
            }
        }
        assert_eq!(given, expected, "{scope}, channel {number}");
    }
    for (mut child, to, _) in children {
        drop(to);
        assert!(child.wait().unwrap().success());
    }
    println!("{} channels, {RACERS} processes of {STRANGERS} strangers: {expected:?} codes each", races());
}

/// The process of the strangers.
#[test]
fn strangers() {
    let Some(state) = child::state() else { return };
    let per_account = std::env::var("DMGATE_TEST_SCOPE").unwrap() == "account";
    let scope = if per_account { PendingScope::Account } else { PendingScope::Channel };
    let accounts: &[&str] = if per_account { &["default", "work"] } else { &["default"] };
    let (gate, runtime, number) = (gate(&state, scope), runtime(), child::setting("DMGATE_TEST_CHILD"));
    for channel in std::io::stdin().lines() {
        let channel = channel.unwrap();
        let mut line = String::from("CODES");
        runtime.block_on(async {
            let each = accounts.iter().map(|account| {
                let key = AccountKey::parse(&channel, account).unwrap();
                let strangers: Vec<_> =
                    (0..STRANGERS).map(|n| hello(&key, &format!("{number}-{n}"))).collect();
                let gate = gate.clone();
                tokio::spawn(async move { codes(&gate, strangers.into_iter()).await })
            });
            for given in each.collect::<Vec<_>>() {
                line.push_str(&format!(" {}", given.await.unwrap()));
            }
        });
        writeln!(std::io::stdout(), "{line}").unwrap();
    }
}

/// A message whose answer nobody waits for, given up after so many polls.
#[test]
fn i3_i4_i6_a_future_that_is_dropped_leaves_a_whole_state() {
    let _turn = Faults::turn();
    let temp = crate::scratch();
    let runtime = runtime();
    for polls in 1..40 {
        let state = temp.path().join(polls.to_string());
        let gate = gate(&state, PendingScope::Channel);
        let key = at("default");
        runtime.block_on(async {
            let message = hello(&key, "dropped");
            let mut asked = Box::pin(gate.admit(&message));
            for _ in 0..polls {
                let polled = std::future::poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
                if polled {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(asked);
            // Whatever became of it: three get a code at most, the dropped one among them, and never two.
            let strangers = (0..6).map(|n| hello(&key, &format!("s{n}")));
            let others = codes(&gate, strangers).await;
            let waiting = gate.store().pending(key.channel()).await.unwrap();
            assert_eq!(waiting.len(), 3, "after {polls} polls");
            let dropped = waiting.iter().filter(|request| request.id.as_str() == "dropped").count();
            assert_eq!(others + dropped, 3, "after {polls} polls");
        });
    }
}
