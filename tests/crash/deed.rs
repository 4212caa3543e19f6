//! What is done while something goes wrong, the state it begins from, and what must hold afterwards.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use dmgate::pairing::{Approval, Handover, Knock, Knocked, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, Store};
use dmgate::testing::ManualClock;
use dmgate::{AccountKey, Limits, ReplyRoute, Sender, SenderId, Strength};

/// One transaction of each kind, on the state that [`begin`] makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    Knock,
    Approve,
    ApproveWithNotice,
    Reject,
    RejectAndBlock,
    Allow,
    AllowAliasAnew,
    Revoke,
    RevokeAlias,
    Block,
    Unblock,
    Bind,
    WrongCode,
    Sending,
    /// Only a look, as the gate takes it.
    Load,
}

pub(crate) const DEEDS: [Deed; 15] = [
    Deed::Knock,
    Deed::Approve,
    Deed::ApproveWithNotice,
    Deed::Reject,
    Deed::RejectAndBlock,
    Deed::Allow,
    Deed::AllowAliasAnew,
    Deed::Revoke,
    Deed::RevokeAlias,
    Deed::Block,
    Deed::Unblock,
    Deed::Bind,
    Deed::WrongCode,
    Deed::Sending,
    Deed::Load,
];

/// What the deed meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum House {
    /// All in order.
    Kept,
    /// Left behind by a process that died half-way, and with a neighbour whose clock is ahead.
    LeftBehind,
}

impl House {
    pub(crate) const ALL: [Self; 2] = [Self::Kept, Self::LeftBehind];

    pub(crate) async fn furnish(self, state: &Path) {
        begin(state).await;
        if self == Self::LeftBehind {
            leave(state);
        }
    }
}

/// All of these tests happen at one moment, a while after the files were made.
pub(crate) const NOW: i64 = 1_900_000_000_000;

/// Whether the long form was asked for: every error at every step, with a watch on the files.
pub(crate) fn all() -> bool {
    std::env::var_os("DMGATE_FAULTS").is_some_and(|which| which == "all")
}

pub(crate) fn key() -> AccountKey {
    AccountKey::parse("alpha", "default").unwrap()
}

pub(crate) fn id(text: &str) -> SenderId {
    SenderId::parse(key().channel(), text).unwrap()
}

pub(crate) fn actor() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

pub(crate) fn open(state: &Path) -> Arc<dyn Store> {
    // In the short form unwatched, as the command line is: as exact, and ending a watch takes the kernel milliseconds.
    let options = FileOptions { watch: all(), ..FileOptions::new(state) };
    Arc::new(FileStore::open(options, ManualClock::at(NOW).world()).unwrap())
}

pub(crate) fn knock_of(who: &str) -> Knock {
    Knock {
        account: key().account().clone(),
        sender: Sender::with_parts(id(who), Vec::new(), Strength::Authenticated, None),
        route: ReplyRoute::new("r"),
        source: None,
        meta: Vec::new(),
        limits: Limits::default(),
        handover: Handover::Outbox,
    }
}

/// `waits` and `other` have codes, `in` and `alias` (behind it `primary`) are in, `out` is blocked.
pub(crate) async fn begin(state: &Path) {
    let store = open(state);
    let at = key();
    for who in ["waits", "other"] {
        assert!(matches!(store.knock(at.channel(), knock_of(who)).await, Ok(Knocked::Issued(_))));
    }
    for who in ["in", "alias"] {
        store.allow(&at, &id(who), &actor()).await.unwrap();
    }
    store.bind(&at, &id("alias"), &id("primary")).await.unwrap();
    store.block(&at, &id("out"), &actor()).await.unwrap();
}

/// Locks of a dead process, a request that our record does not know, half a line in our record and in the audit; and
/// `other` is a request of the neighbour, from a time to come.
fn leave(state: &Path) {
    let at = |name: &str| state.join("credentials").join(name);
    let put = |path: std::path::PathBuf, text: &str, append: bool| {
        let mut file = std::fs::OpenOptions::new();
        let file = file.create(true).truncate(!append).append(append).write(true).open(path);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).unwrap();
    };
    for name in ["alpha-pairing.json.lock", "alpha-allowFrom.json.lock"] {
        put(at(name), r#"{"pid": 4194305, "createdAt": "2026-01-01T00:00:00.000Z"}"#, false);
    }
    put(at("alpha-dmgate.jsonl"), r#"["0123456789abcdef",{"hour":{"#, true);
    put(state.join("audit.jsonl"), r#"{"at":"2026-"#, true);
    let pending = at("alpha-pairing.json");
    let text = std::fs::read_to_string(&pending).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let requests = document["requests"].as_array_mut().unwrap();
    let mut orphan = requests[0].clone();
    orphan["id"] = "orphan".into();
    orphan["code"] = "BBBBBBBB".into();
    orphan["requestId"] = "0123456789abcdef".into();
    let ahead = dmgate::Timestamp::from_millis(NOW + 7_200_000).to_string();
    requests[1]["createdAt"] = ahead.into();
    requests[1].as_object_mut().unwrap().remove("requestId").unwrap();
    requests.push(orphan);
    put(pending, &document.to_string(), false);
}

/// Does it; `Ok` is what the caller was told.
pub(crate) async fn act(store: &Arc<dyn Store>, deed: Deed) -> Result<(), String> {
    let (at, who) = (key(), actor());
    let by = |target, notify| Approval { target, account: None, notify };
    let waits = |notify| by(Target::Sender(id("waits")), notify);
    match deed {
        Deed::Knock => match store.knock(at.channel(), knock_of("new")).await {
            Ok(Knocked::Issued(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        },
        Deed::Approve => said(store.approve(at.channel(), waits(false), &who).await),
        Deed::ApproveWithNotice => said(store.approve(at.channel(), waits(true), &who).await),
        Deed::Reject => said(store.reject(at.channel(), waits(false), false, &who).await),
        Deed::RejectAndBlock => said(store.reject(at.channel(), waits(false), true, &who).await),
        Deed::Allow => said(store.allow(&at, &id("waits"), &who).await),
        Deed::AllowAliasAnew => said(store.allow(&at, &id("alias"), &who).await),
        Deed::Revoke => said(store.revoke(&at, &id("in"), &who).await),
        Deed::RevokeAlias => said(store.revoke(&at, &id("alias"), &who).await),
        Deed::Block => said(store.block(&at, &id("waits"), &who).await),
        Deed::Unblock => said(store.unblock(&at, &id("out"), &who).await),
        Deed::Bind => said(store.bind(&at, &id("+1"), &id("holder")).await),
        Deed::WrongCode => {
            let code = dmgate::pairing::PairingCode::parse("ZZZZZZZZ").unwrap();
            let outside = Actor { surface: Surface::Remote, ..actor() };
            match store.approve(at.channel(), by(Target::Code(code), false), &outside).await {
                Err(dmgate::store::OperatorError::Refused(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        }
        Deed::Sending => {
            use dmgate::pairing::record::{SendKind, SendStep};
            // What can't be read has no first one.
            let first = store.pending(at.channel()).await.map_err(|error| error.to_string())?;
            let request = first[0].request.clone();
            said(store.sending(&at, &request, SendKind::Challenge, SendStep::Sent).await)
        }
        Deed::Load => {
            let places = store.places(&at);
            for path in places.allowed.iter().chain([&places.pending, &places.record]) {
                // Touched: it is read again. The default account has two names for its list, and one file.
                if let Ok(file) = std::fs::File::options().append(true).open(path) {
                    file.set_modified(std::time::UNIX_EPOCH).unwrap();
                }
            }
            let state = store.load(&at).await.snapshot;
            said(state.allowed.clone()).and(said(state.record.clone())).and(said(state.pending.clone()))
        }
    }
}

fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

/// Everything that decides, as it is seen by who opens the files now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) allowed: BTreeSet<String>,
    pub(crate) waiting: BTreeSet<String>,
    pub(crate) blocked: BTreeSet<String>,
    pub(crate) bindings: BTreeSet<String>,
    pub(crate) hours: BTreeSet<String>,
    pub(crate) sends: BTreeSet<String>,
    pub(crate) wrong: u32,
}

pub(crate) async fn look(store: &Arc<dyn Store>) -> Seen {
    let at = key();
    let state = store.load(&at).await.snapshot;
    let record = &state.record.as_ref().expect("the record is whole").1;
    let waiting = store.pending(at.channel()).await.expect("the pending file is whole");
    let live: Vec<&str> = waiting.iter().map(|request| request.code.reveal()).collect();
    assert_eq!(live.iter().collect::<BTreeSet<_>>().len(), live.len(), "I5: no code twice");
    assert!(waiting.len() <= 3, "I3");
    let is_known =
        |request: &dmgate::pairing::Request| !request.ours || record.hour_of(&request.request).is_some();
    assert!(waiting.iter().all(is_known), "I6: what our record does not know was never handed out");
    let of_live = |request: &dmgate::pairing::RequestId| waiting.iter().any(|w| w.request == *request);
    Seen {
        allowed: store.allowed(&at).await.expect("the list is whole").into_iter().collect(),
        waiting: waiting.iter().map(|request| request.id.to_string()).collect(),
        blocked: store.blocked(&at).await.unwrap().iter().map(ToString::to_string).collect(),
        bindings: record.bindings.iter().map(|bound| format!("{bound:?}")).collect(),
        hours: record.hours.iter().map(|hour| hour.ids[0].clone()).collect(),
        // A code that nobody waits for is not sent, whether or not it is noted.
        sends: record
            .sends
            .iter()
            .filter(|send| send.what == dmgate::pairing::record::SendKind::Notice || of_live(&send.request))
            .map(|send| format!("{:?} to {}", send.what, send.to))
            .collect(),
        wrong: record.wrong,
    }
}

/// What any other program finds in the pending file.
pub(crate) fn in_the_file(state: &Path) -> usize {
    let text = std::fs::read_to_string(state.join("credentials/alpha-pairing.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["requests"].as_array().unwrap().len()
}
