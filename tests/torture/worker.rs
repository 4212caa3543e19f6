//! One of the processes: it says what it is about to do, does it, says what it was told, and goes on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmgate::pairing::{Approval, ApproveError, Request, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, OperatorError, Store};
use dmgate::{
    AccountKey, Clock, Decision, DmGate, HOUR, InboundMessage, Reason, Sender, SenderId, SystemClock,
    Timestamp, World,
};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::child;
use crate::ledger::{Answer, Deed};

/// Who writes, on each of the accounts of one channel.
const ACCOUNTS: [&str; 2] = ["default", "work"];
const SENDERS: usize = 40;

/// Strangers of one process who knock before it waits for news: most are in, blocked, or had a code in this hour.
const KNOCKS: usize = 6;

/// The machine's clock, set back so far that what the machine writes is never old, and forward by as many milliseconds
/// as a file is long: all processes have the same time, and somebody else lets it go by.
pub(crate) struct FileClock(pub(crate) PathBuf);

impl Clock for FileClock {
    fn now(&self) -> Timestamp {
        const SET_BACK: i64 = 365 * 24 * 3_600_000;
        let ahead = std::fs::metadata(&self.0).unwrap().len();
        Timestamp::from_millis(SystemClock.now().as_millis() - SET_BACK + i64::try_from(ahead).unwrap())
    }

    fn ticks(&self) -> u64 {
        SystemClock.ticks()
    }

    fn pause(&self, duration: Duration) {
        SystemClock.pause(duration);
    }
}

pub(crate) fn open(state: &Path, clock: &Path) -> DmGate {
    let world = World { clock: Arc::new(FileClock(clock.to_owned())), ..World::default() };
    let options = FileOptions { lock_wait: Duration::from_secs(60), ..FileOptions::new(state) };
    let store = FileStore::open(options, world.clone()).unwrap();
    DmGate::builder().world(world).store(store).build()
}

pub(crate) fn accounts() -> impl Iterator<Item = AccountKey> {
    ACCOUNTS.into_iter().map(|account| AccountKey::parse("alpha", account).unwrap())
}

/// Everyone who may write, with the name under which the ledger has them.
pub(crate) fn everyone() -> Vec<(AccountKey, SenderId, String)> {
    let senders = |account: AccountKey| {
        (0..SENDERS).map(move |n| {
            let id = SenderId::parse(account.channel(), &format!("s{n}")).unwrap();
            let name = name(&account, &id);
            (account.clone(), id, name)
        })
    };
    accounts().flat_map(senders).collect()
}

fn name(account: &AccountKey, id: &SenderId) -> String {
    format!("{}/{id}", account.account())
}

/// The requests that wait, as every reader must find them.
pub(crate) async fn waiting(store: &Arc<dyn Store>) -> Vec<Request> {
    let channel = accounts().next().unwrap().channel().clone();
    let waiting = store.pending(&channel).await.unwrap();
    assert!(waiting.len() <= 3, "I3: {waiting:?}");
    for (at, one) in waiting.iter().enumerate() {
        for other in &waiting[at + 1..] {
            assert!(!one.code.matches(&other.code), "I5: one code, two requests: {waiting:?}");
            assert!(one.id != other.id || one.account != other.account, "I6: two live codes: {waiting:?}");
        }
    }
    waiting
}

/// How many requests any other program finds in the pending file that are not over.
pub(crate) fn live_in_the_file(state: &Path, clock: &Path) -> usize {
    let Ok(text) = std::fs::read_to_string(state.join("credentials/alpha-pairing.json")) else { return 0 };
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let now = FileClock(clock.to_owned()).now();
    let is_live = |request: &&serde_json::Value| {
        Timestamp::parse(request["createdAt"].as_str().unwrap()).unwrap().plus(HOUR) >= now
    };
    document["requests"].as_array().unwrap().iter().filter(is_live).count()
}

/// The process. What it has to say it says on stderr: the test harness keeps out of that, and a panic ends up where it is
/// noticed.
#[test]
fn works() {
    let Some(state) = child::state() else { return };
    let number = u8::try_from(child::setting("DMGATE_TEST_NUMBER")).unwrap();
    let clock = PathBuf::from(std::env::var("DMGATE_TEST_CLOCK").unwrap());
    let worker = Worker { number, gate: open(&state, &clock), state, clock };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, account) = (worker.gate.store(), accounts().next().unwrap());
        loop {
            let since = store.revision(&account);
            match number % 4 {
                0 => {
                    for _ in 0..KNOCKS {
                        worker.knocks().await;
                    }
                }
                1 | 2 => {
                    worker.decides().await;
                    continue;
                }
                _ => worker.looks().await,
            }
            // There is something new to see when somebody changed something.
            store.changed(&account, since).await;
        }
    });
}

struct Worker {
    number: u8,
    gate: DmGate,
    state: PathBuf,
    clock: PathBuf,
}

impl Worker {
    /// One line, whole or not at all: it is far shorter than what a pipe takes in one piece.
    fn say(&self, what: &str) {
        std::io::stderr().write_all(format!("{} {what}\n", self.number).as_bytes()).unwrap();
    }

    async fn does(&self, deed: Deed, sender: &str, act: impl Future<Output = Answer>) {
        self.say(&format!("begins {deed:?} {sender}"));
        let answer = act.await;
        self.say(&format!("ends {answer:?} {sender}"));
    }

    async fn knocks(&self) {
        let (account, id, sender) = anyone();
        let message = InboundMessage::direct(account, Sender::new(id), "hello");
        let admitted = async {
            match self.gate.admit(&message).await {
                Decision::Admit(_) => Answer::Yes,
                Decision::Challenge(_) => Answer::Code,
                Decision::Ignore(refusal) if refusal.reason == Reason::Blocked => Answer::Blocked,
                Decision::Ignore(_) => Answer::No,
                Decision::Unavailable(fault) => panic!("{fault}"),
            }
        };
        self.does(Deed::Admit, &sender, admitted).await;
    }

    async fn decides(&self) {
        let (store, by) = (self.gate.store(), &actor());
        let waiting = waiting(store).await;
        if let Some(request) = waiting.choose(&mut rand::rng())
            && rand::random_ratio(4, 5)
        {
            let (account, _, sender) = of(request);
            let channel = account.channel();
            let target = match rand::rng().random_range(0..3) {
                0 => Target::Code(request.code.clone()),
                1 => Target::Sender(request.id.clone()),
                _ => Target::Request(request.request.clone()),
            };
            let approval =
                Approval { target, account: Some(request.account.clone()), notify: rand::random() };
            match rand::rng().random_range(0..4) {
                0 => {
                    let act = async { decided(store.reject(channel, approval, false, by).await) };
                    self.does(Deed::Reject, &sender, act).await;
                }
                1 => {
                    let act = async { decided(store.reject(channel, approval, true, by).await) };
                    self.does(Deed::RejectAndBlock, &sender, act).await;
                }
                _ => {
                    let act = async { decided(store.approve(channel, approval, by).await) };
                    self.does(Deed::Approve, &sender, act).await;
                }
            }
            return;
        }
        let (account, id, sender) = &anyone();
        match rand::rng().random_range(0..8) {
            0 => {
                let act = async {
                    match store.allow(account, id, by).await {
                        Ok(is_new) => yes_or_no(is_new),
                        Err(error) => refused(&error),
                    }
                };
                self.does(Deed::Allow, sender, act).await;
            }
            1..=3 => {
                let act = async { yes_or_no(store.revoke(account, id, by).await.unwrap().entries > 0) };
                self.does(Deed::Revoke, sender, act).await;
            }
            4 => {
                let act = async { yes_or_no(store.block(account, id, by).await.unwrap()) };
                self.does(Deed::Block, sender, act).await;
            }
            _ => {
                let act = async { yes_or_no(store.unblock(account, id, by).await.unwrap()) };
                self.does(Deed::Unblock, sender, act).await;
            }
        }
    }

    async fn looks(&self) {
        assert!(live_in_the_file(&self.state, &self.clock) <= 3, "I3");
        let store = self.gate.store();
        let someone = waiting(store).await.choose(&mut rand::rng()).map(of).filter(|_| rand::random());
        let (account, id, sender) = &someone.unwrap_or_else(anyone);
        let is_waiting = async {
            let is_it = |request: &Request| request.account == *account.account() && request.id == *id;
            yes_or_no(waiting(store).await.iter().any(is_it))
        };
        self.does(Deed::IsWaiting, sender, is_waiting).await;
        let is_allowed =
            async { yes_or_no(store.load(account).await.snapshot.allowed.as_ref().unwrap().contains(id)) };
        self.does(Deed::IsAllowed, sender, is_allowed).await;
        let is_blocked = async { yes_or_no(store.blocked(account).await.unwrap().contains(id)) };
        self.does(Deed::IsBlocked, sender, is_blocked).await;
    }
}

pub(crate) fn actor() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

fn of(request: &Request) -> (AccountKey, SenderId, String) {
    let account = AccountKey::parse("alpha", request.account.as_str()).unwrap();
    let name = name(&account, &request.id);
    (account, request.id.clone(), name)
}

fn anyone() -> (AccountKey, SenderId, String) {
    everyone().choose(&mut rand::rng()).unwrap().clone()
}

fn yes_or_no(is_so: bool) -> Answer {
    if is_so { Answer::Yes } else { Answer::No }
}

fn decided(result: Result<Request, OperatorError>) -> Answer {
    result.map_or_else(|error| refused(&error), |_| Answer::Yes)
}

fn refused(error: &OperatorError) -> Answer {
    match error {
        OperatorError::Refused(ApproveError::NotFound) => Answer::No,
        OperatorError::Refused(ApproveError::Blocked) => Answer::Blocked,
        other => panic!("{other}"),
    }
}
