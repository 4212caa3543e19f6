//! A history on a store and on the model at once; each step says where they differ.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmgate::pairing::{Approval, ApproveError, PairingCode, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, MemoryStore, OperatorError, Store};
use dmgate::testing::{ManualClock, SeededEntropy};
use dmgate::{
    AccountId, AccountKey, AccountPolicy, ChannelId, Clock as _, Decision, DmGate, DmPolicy, InboundMessage,
    Limits, PendingScope, Sender, SenderId, Strength, World,
};

use crate::neighbour;
use crate::operation::{By, Operation};
use crate::rules::{Channel, Ids, Pointed, Waiting};

const CHANNELS: [&str; 2] = ["alpha", "beta"];
const ACCOUNTS: [(&str, &str); 4] =
    [("alpha", "default"), ("alpha", "work"), ("beta", "default"), ("beta", "work")];
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// On what a history is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    Memory,
    Files,
    MemoryBesideAModelThatForgetsHours,
}

pub(crate) struct Play {
    which: Which,
    temp: tempfile::TempDir,
    clock: ManualClock,
    world: World,
    /// Two handles, as two processes have them; the first is at work.
    gates: [DmGate; 2],
    model: [Channel; 2],
    off: i64,
    /// Codes that were given: channel, account, ids, code, and how long the machine had been running.
    given: Vec<(usize, String, Ids, String, i64)>,
    foreign_codes: u32,
}

type Outcome = Result<(), String>;

/// Senders share aliases: a telephone number that went to someone else.
fn ids_of(sender: usize) -> Ids {
    let ids: &[&str] = match sender {
        0 => &["p0"],
        1 => &["p1", "a1"],
        2 => &["p2", "a1"],
        3 => &["p3", "a1", "a2"],
        4 => &["p4", "a2"],
        5 => &["p5"],
        _ => &["p6"],
    };
    ids.iter().map(ToString::to_string).collect()
}

fn id_at(at: usize) -> &'static str {
    ["p0", "p1", "p2", "p3", "p4", "p5", "a1", "a2", "p1", "a1"][at]
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, store: &T, model: &T) -> Outcome {
    if store == model {
        Ok(())
    } else {
        Err(format!("{what}: the store says {store:?}, the model {model:?}"))
    }
}

impl Play {
    pub(crate) fn begin(which: Which) -> Self {
        let shm = Path::new("/dev/shm");
        let temp = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let clock = ManualClock::now();
        let world = World { clock: Arc::new(clock.clone()), entropy: Arc::new(SeededEntropy::new(7)) };
        let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(world.clone()));
        let open = || match which {
            Which::Files => files(temp.path(), &world),
            _ => Arc::clone(&memory),
        };
        let gates = [gate(open(), &world), gate(open(), &world)];
        let mut model: [Channel; 2] = Default::default();
        model[1].per_account = true;
        model.iter_mut().for_each(|c| c.forgets_hours = which == Which::MemoryBesideAModelThatForgetsHours);
        let (off, given, foreign_codes) = Default::default();
        Self { which, temp, clock, world, gates, model, off, given, foreign_codes }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    fn uptime(&self) -> i64 {
        self.clock.uptime().unwrap().at.try_into().unwrap()
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.gates[0].store()
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("state/credentials")
    }

    pub(crate) async fn step(&mut self, operation: &Operation) -> Outcome {
        match *operation {
            Operation::Knock { account, sender } => self.knock(account, sender).await?,
            Operation::Approve { channel, place, by, remote, named } => {
                let Some((target, pointed, account)) = self.point(channel, place, by).await else {
                    return Ok(());
                };
                let account = named.then_some(account);
                self.approve(channel, target, pointed, account, remote).await?;
            }
            Operation::ApproveOld { channel, place, remote } => {
                if let Some((.., code, _)) = self.given.get(place % self.given.len().max(1)) {
                    let code = code.clone();
                    let target = Target::Code(PairingCode::parse(&code).unwrap());
                    self.approve(channel, target, Pointed::Code(code), None, remote).await?;
                }
            }
            Operation::WrongCode { channel, remote, reject } => {
                let code = "ZZZZZZZZ".to_owned();
                let target = Target::Code(PairingCode::parse(&code).unwrap());
                if reject {
                    self.reject(channel, target, Pointed::Code(code), remote, false).await?;
                } else {
                    self.approve(channel, target, Pointed::Code(code), None, remote).await?;
                }
            }
            Operation::Reject { channel, place, by, remote, block } => {
                let Some((target, pointed, _)) = self.point(channel, place, by).await else { return Ok(()) };
                self.reject(channel, target, pointed, remote, block).await?;
            }
            Operation::Allow { account, id } => self.allow(account, id_at(id)).await?,
            Operation::Revoke { account, id } => self.revoke(account, id_at(id)).await?,
            Operation::Block { account, id } => self.block(account, id_at(id)).await?,
            Operation::Unblock { account, id } => self.unblock(account, id_at(id)).await?,
            Operation::Advance { minutes } => self.clock.advance(Duration::from_secs(minutes * 60)),
            Operation::Step { off } => {
                self.clock.step((off - self.off) * MINUTE);
                self.off = off;
            }
            Operation::Switch => self.gates.swap(0, 1),
            Operation::Reopen if self.which == Which::Files => {
                self.gates[0] = gate(files(self.temp.path(), &self.world), &self.world);
            }
            _ if self.which == Which::Files => self.neighbour(operation),
            _ => {}
        }
        // What was not touched is looked at in the end.
        match *operation {
            Operation::Knock { account, .. } => self.compare_requests(account / 2).await,
            Operation::Allow { account, .. }
            | Operation::Revoke { account, .. }
            | Operation::Block { account, .. }
            | Operation::Unblock { account, .. } => {
                self.compare_requests(account / 2).await?;
                self.compare_lists(account).await
            }
            Operation::Advance { .. } | Operation::Step { .. } | Operation::Switch | Operation::Reopen => {
                Ok(())
            }
            _ => self.compare().await,
        }
    }

    async fn knock(&mut self, at: usize, sender: usize) -> Outcome {
        let ((name, account), ids, now, uptime) = (ACCOUNTS[at], ids_of(sender), self.now(), self.uptime());
        let channel = at / 2;
        let key = AccountKey::parse(name, account).unwrap();
        let parsed = |id: &String| SenderId::parse(key.channel(), id).unwrap();
        let aliases = ids[1..].iter().map(parsed).collect();
        let who = Sender::with_parts(parsed(&ids[0]), aliases, Strength::Authenticated, None);
        let expected = self.model[channel].knock(account, &ids, now, uptime);
        let decision = self.gates[0].admit(&InboundMessage::direct(key, who, "hello")).await;
        same("verdict", &decision.reason().as_str(), &expected)?;
        if let Decision::Challenge(challenge) = decision {
            let code = challenge.code.reveal().to_owned();
            if self.model[channel].waiting.iter().any(|w| w.code == code) {
                return Err("a code was drawn that is in use".to_owned());
            }
            // Apart from the model: the hour itself.
            let again = self.given.iter().find(|(of, on, before, _, then)| {
                let theirs = *of == channel && on == account && before.iter().any(|id| ids.contains(id));
                theirs && uptime - then <= HOUR
            });
            if let Some(again) = again {
                return Err(format!("two codes within an hour: {again:?}, and now at {now}"));
            }
            self.given.push((channel, account.to_owned(), ids.clone(), code.clone(), uptime));
            let (account, ttl) = (account.to_owned(), ttl_of(at));
            let (foreign, recorded) = (false, true);
            let waiting = Waiting { account, ids, code, at: now, ttl, foreign, recorded };
            self.model[channel].issued(waiting, uptime);
        }
        Ok(())
    }

    /// Points at a request of the listing, for the store and for the model.
    async fn point(&self, channel: usize, place: usize, by: By) -> Option<(Target, Pointed, AccountId)> {
        let id = ChannelId::parse(CHANNELS[channel]).unwrap();
        let listing = self.store().pending(&id).await.unwrap();
        let request = listing.get(place % listing.len().max(1))?;
        let code = request.code.reveal().to_owned();
        let (target, pointed) = match by {
            By::Code => (Target::Code(request.code.clone()), Pointed::Code(code)),
            By::Sender => (Target::Sender(request.id.clone()), Pointed::Sender(request.id.to_string())),
            By::Request => {
                let at = self.model[channel].waiting.iter().position(|w| w.code == code)?;
                (Target::Request(request.request.clone()), Pointed::Place(at))
            }
        };
        Some((target, pointed, request.account.clone()))
    }

    async fn approve(
        &mut self,
        channel: usize,
        target: Target,
        pointed: Pointed,
        account: Option<AccountId>,
        remote: bool,
    ) -> Outcome {
        let now = self.now();
        let named = account.as_ref().map(AccountId::as_str);
        let expected = self.model[channel].approve(&pointed, named, remote, now);
        let id = ChannelId::parse(CHANNELS[channel]).unwrap();
        let approval = Approval { target, account: account.clone(), notify: false };
        let said =
            self.store().approve(&id, approval, &by(remote)).await.map(|request| request.id.to_string());
        same("approve", &said.map_err(|error| word(&error)), &expected)
    }

    async fn reject(
        &mut self,
        channel: usize,
        target: Target,
        pointed: Pointed,
        remote: bool,
        block: bool,
    ) -> Outcome {
        let now = self.now();
        let expected = self.model[channel].reject(&pointed, remote, block, now);
        let id = ChannelId::parse(CHANNELS[channel]).unwrap();
        let approval = Approval { target, account: None, notify: false };
        let said = self.store().reject(&id, approval, block, &by(remote)).await;
        same("reject", &said.map(|request| request.id.to_string()).map_err(|error| word(&error)), &expected)
    }

    async fn allow(&mut self, at: usize, id: &str) -> Outcome {
        let (key, sender, now) = (key(at), sender(at, id), self.now());
        let expected = self.model[at / 2].allow(ACCOUNTS[at].1, id, now);
        let said = self.store().allow(&key, &sender, &actor()).await;
        same("allow", &said.map_err(|error| word(&error)), &expected)
    }

    async fn revoke(&mut self, at: usize, id: &str) -> Outcome {
        let (key, sender, now) = (key(at), sender(at, id), self.now());
        let (entries, requests) = self.model[at / 2].revoke(ACCOUNTS[at].1, id, now);
        let said = self.store().revoke(&key, &sender, &actor()).await.unwrap();
        same("revoke", &(said.entries > 0, said.requests), &(entries > 0, requests))
    }

    async fn block(&mut self, at: usize, id: &str) -> Outcome {
        let (key, sender, now) = (key(at), sender(at, id), self.now());
        let expected = self.model[at / 2].block(ACCOUNTS[at].1, id, now);
        same("block", &self.store().block(&key, &sender, &actor()).await.unwrap(), &expected)
    }

    async fn unblock(&mut self, at: usize, id: &str) -> Outcome {
        let (key, sender, now) = (key(at), sender(at, id), self.now());
        let expected = self.model[at / 2].unblock(ACCOUNTS[at].1, id, now);
        same("unblock", &self.store().unblock(&key, &sender, &actor()).await.unwrap(), &expected)
    }

    /// Only on the first channel, whose cap is the neighbour's.
    fn neighbour(&mut self, operation: &Operation) {
        let (dir, now) = (self.dir(), self.now());
        match *operation {
            Operation::ForeignAdd { account, sender } => {
                let (account, id) = (ACCOUNTS[account % 2].1, ids_of(sender)[0].clone());
                self.foreign_codes += 1;
                let code = format!("FFFF{}", format!("{:04}", self.foreign_codes).replace(['0', '1'], "Z"));
                neighbour::add(&dir, "alpha", account, &id, &code, now);
                let (ids, account) = (vec![id], account.to_owned());
                let waiting =
                    Waiting { account, ids, code, at: now, ttl: HOUR, foreign: true, recorded: false };
                self.model[0].foreign_add(waiting, now);
            }
            Operation::ForeignApprove { place } => {
                if let Some(waiting) = self.model[0].foreign_drop(place) {
                    neighbour::drop_request(&dir, "alpha", &waiting.code);
                    neighbour::list(&dir, "alpha", &waiting.account, &waiting.ids[0]);
                    self.model[0].foreign_list(&waiting.account, &waiting.ids[0]);
                }
            }
            Operation::ForeignDrop { place } => {
                if let Some(waiting) = self.model[0].foreign_drop(place) {
                    neighbour::drop_request(&dir, "alpha", &waiting.code);
                }
            }
            Operation::ForeignUnlist { account, id } => {
                neighbour::unlist(&dir, "alpha", ACCOUNTS[account % 2].1, id_at(id));
                self.model[0].foreign_unlist(ACCOUNTS[account % 2].1, id_at(id));
            }
            _ => {}
        }
    }

    /// Everything that can be seen.
    pub(crate) async fn compare(&self) -> Outcome {
        for channel in 0..CHANNELS.len() {
            self.compare_requests(channel).await?;
        }
        for account in 0..ACCOUNTS.len() {
            self.compare_lists(account).await?;
        }
        Ok(())
    }

    async fn compare_requests(&self, channel: usize) -> Outcome {
        let (name, now) = (CHANNELS[channel], self.now());
        let listing = self.store().pending(&ChannelId::parse(name).unwrap()).await.unwrap();
        let told = |account: &str, id: &str, code: &str, created: i64, expires: i64| {
            (account.to_owned(), id.to_owned(), code.to_owned(), created, expires)
        };
        let store: Vec<_> = listing
            .iter()
            .map(|r| {
                let (created, expires) = (r.created_at.as_millis(), r.expires_at().as_millis());
                told(r.account.as_str(), r.id.as_str(), r.code.reveal(), created, expires)
            })
            .collect();
        let shown = self.model[channel].shown(now);
        let model: Vec<_> =
            shown.iter().map(|w| told(&w.account, &w.ids[0], &w.code, w.at, w.at + w.ttl)).collect();
        same(&format!("requests of {name}"), &store, &model)?;
        if self.which == Which::Files && channel == 0 { self.look_into_the_file() } else { Ok(()) }
    }

    async fn compare_lists(&self, at: usize) -> Outcome {
        let (key, account) = (key(at), ACCOUNTS[at].1);
        let mut allowed = self.store().allowed(&key).await.unwrap();
        allowed.sort();
        let listed = self.model[at / 2].listed.iter();
        let mut model: Vec<String> =
            listed.filter(|(of, _)| of == account).map(|(_, id)| id.clone()).collect();
        model.sort();
        same(&format!("list of {key}"), &allowed, &model)?;
        let blocked = self.store().blocked(&key).await.unwrap();
        let mut blocked: Vec<String> = blocked.iter().map(ToString::to_string).collect();
        blocked.sort();
        same(&format!("blocks of {key}"), &blocked, &self.model[at / 2].blocked_of(account))
    }

    /// What any other reader sees: never more than the cap, and all that others noted.
    fn look_into_the_file(&self) -> Outcome {
        let now = self.now();
        let document = neighbour::read(&self.dir(), "alpha-pairing.json", "requests");
        let requests = document["requests"].as_array().unwrap();
        let live = requests.iter().filter(|r| now - neighbour::created_at(r) <= HOUR).count();
        if live > 3 {
            return Err(format!("{live} live requests in the file"));
        }
        if self.foreign_codes > 0 && document["noted"]["by"][0] != "neighbour" {
            return Err("what the neighbour noted in the file is gone".to_owned());
        }
        let foreign = |w: &&Waiting| w.foreign;
        for waiting in self.model[0].waiting.iter().filter(foreign) {
            let theirs = requests.iter().find(|request| request["code"] == *waiting.code);
            if theirs.is_none_or(|request| request["noted"] != *waiting.code) {
                return Err(format!("the neighbour's request {} lost something", waiting.code));
            }
        }
        Ok(())
    }
}

fn files(temp: &Path, world: &World) -> Arc<dyn Store> {
    Arc::new(FileStore::open(FileOptions::new(temp.join("state")), world.clone()).unwrap())
}

/// Codes of the second accounts work for 20 minutes.
fn ttl_of(at: usize) -> i64 {
    if at.is_multiple_of(2) { HOUR } else { 20 * MINUTE }
}

fn gate(store: Arc<dyn Store>, world: &World) -> DmGate {
    let mut builder = DmGate::builder().world(world.clone()).shared_store(store);
    for (at, (name, account)) in ACCOUNTS.iter().enumerate() {
        let key = AccountKey::parse(name, account).unwrap();
        let limits = Limits {
            code_ttl: Duration::from_millis(ttl_of(at).unsigned_abs()),
            pending_scope: if at < 2 { PendingScope::Channel } else { PendingScope::Account },
            ..Limits::default()
        };
        let policy = AccountPolicy::new(key.channel(), DmPolicy::Pairing, [], limits).unwrap();
        builder = builder.account(key, policy);
    }
    builder.build()
}

fn key(at: usize) -> AccountKey {
    AccountKey::parse(ACCOUNTS[at].0, ACCOUNTS[at].1).unwrap()
}

fn sender(at: usize, id: &str) -> SenderId {
    SenderId::parse(key(at).channel(), id).unwrap()
}

fn actor() -> Actor {
    Actor { name: "model".into(), surface: Surface::Local }
}

fn by(remote: bool) -> Actor {
    Actor { surface: if remote { Surface::Remote } else { Surface::Local }, ..actor() }
}

fn word(error: &OperatorError) -> &'static str {
    match error {
        OperatorError::Refused(ApproveError::NotFound) => "not found",
        OperatorError::Refused(ApproveError::Ambiguous) => "ambiguous",
        OperatorError::Refused(ApproveError::Blocked) => "blocked",
        OperatorError::Refused(ApproveError::LockedOut { .. }) => "locked out",
        OperatorError::Store(error) => panic!("{error}"),
    }
}
