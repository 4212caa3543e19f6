//! A pending file, whatever its bytes: it lets nobody in; a code of it lets in its sender and nobody else; no more
//! requests than three are made; nothing of other programs is lost.

use std::collections::HashSet;
use std::time::Duration;

use dmgate::pairing::{PairingCode, Target};
use dmgate::{AccountId, Decision, SenderId, Timestamp};

use crate::plain::{self, Document};
use crate::scene::{ALLOWED, PENDING, Scene, UNREADABLE, alpha, id, near, now, work};

const LIST: &str = "requests";
const HOUR: Duration = Duration::from_secs(3_600);

/// A request as the file says it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Plain {
    id: String,
    code: String,
    created: Timestamp,
    account: String,
    /// Our own requests are named; without our record they count for nothing.
    is_ours: bool,
}

/// `data` is the file.
pub fn check(data: &[u8]) {
    let allowed = b"{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"in\"\n  ]\n}\n";
    let scene = Scene::with(&[(PENDING, data), (ALLOWED, allowed)]);
    let is_read = scene.snapshot().pending.is_ok();
    let document = Document::read(data, LIST);
    assert!(!is_read || document.is_some(), "read, though it is no document");

    let asked: HashSet<SenderId> =
        near(plain::quoted(data)).into_iter().filter(|it| *it != id("in")).collect();
    assert_eq!(scene.says(&[&id("in")]), "allowlisted");
    let stranger = scene.admit(&alpha(), &[&id("stranger")]);
    if !is_read {
        assert_eq!(stranger.reason().as_str(), UNREADABLE);
        codes(data).for_each(|code| assert!(scene.approve(Target::Code(code)).is_none(), "approved"));
        scene.try_everything();
        assert_eq!(scene.read(PENDING), data, "what can't be trusted is overwritten");
    } else if let Decision::Challenge(challenge) = &stranger {
        issued(&scene, data, challenge.code.reveal());
    }
    for id in &asked {
        assert_ne!(scene.says(&[id]), "allowlisted", "{id}");
    }
    if is_read {
        codes(data).for_each(|code| approved(&scene, data, code, &asked));
    }
}

/// A code was given: it is in the file, there was a slot, and what was there is still there.
fn issued(scene: &Scene, data: &[u8], code: &str) {
    let before = Document::read(data, LIST).unwrap();
    let bytes = scene.read(PENDING);
    let after = Document::read(&bytes, LIST).expect("a document that was written is one");
    assert_eq!(after.others, before.others, "other members survive");
    let requests = || before.items.iter().filter_map(|item| plain(item));
    let waits = requests().filter(|request| is_live(request.created) && !request.is_ours);
    assert!(waits.clone().count() < 3, "a fourth request");
    let theirs = |request: &Plain| request.id == "stranger" && request.account == "default";
    assert!(!waits.clone().any(|request| theirs(&request)), "a second code");
    assert!(!waits.clone().any(|request| request.code.eq_ignore_ascii_case(code)), "a code twice");
    let ours = after.items.iter().filter_map(|item| plain(item)).filter(|request| request.code == code);
    assert!(ours.map(|request| request.id).eq(["stranger"]), "it is on disk");
    // What other programs wrote and is not over: as it was, but for stamps that lay ahead.
    let stays = |item: &&&str| plain(item).is_none_or(|it| is_live(it.created) && it.created <= now());
    let kept = |item: &&&str| plain(item).is_none_or(|it| !it.is_ours && usable(&it) && it.id != "in");
    for item in before.items.iter().filter(stays).filter(kept) {
        assert!(after.items.contains(item), "lost: {item}");
    }
}

/// If a code of the file works, it lets in the sender beside it, and nobody else.
fn approved(scene: &Scene, data: &[u8], code: PairingCode, asked: &HashSet<SenderId>) {
    let Some(request) = scene.approve(Target::Code(code.clone())) else { return };
    let document = Document::read(data, LIST).unwrap();
    let is_it = |it: &Plain| {
        it.code.to_ascii_uppercase() == code.reveal()
            && SenderId::parse_entry(alpha().channel(), &it.id).is_ok_and(|id| id == request.id)
            && AccountId::parse(&it.account).is_ok_and(|account| account == request.account)
            && is_live(it.created)
            && !it.is_ours
    };
    assert!(document.items.iter().filter_map(|item| plain(item)).any(|it| is_it(&it)), "let in: {request:?}");
    for account in [alpha(), work()] {
        let is_theirs = *account.account() == request.account;
        for id in asked.iter().chain([&request.id]) {
            let is_in = scene.admit(&account, &[id]).reason().as_str() == "allowlisted";
            assert!(!is_in || (is_theirs && *id == request.id), "{id} on {account}");
            assert!(is_in || !is_theirs || *id != request.id, "what was approved is in");
        }
    }
    assert!(scene.approve(Target::Code(code)).is_none_or(|again| again.request != request.request), "twice");
    // Out again, for the next code.
    let key = dmgate::AccountKey::new(alpha().channel().clone(), request.account).unwrap();
    crate::scene::wait(scene.store().revoke(&key, &request.id, &crate::scene::actor())).unwrap();
}

fn plain(item: &str) -> Option<Plain> {
    let account = plain::member(item, "meta").and_then(|meta| plain::text_of(meta, "accountId"));
    let created = plain::text_of(item, "createdAt")?;
    Some(Plain {
        id: plain::text_of(item, "id")?,
        code: plain::text_of(item, "code")?,
        // What can't be read is over.
        created: Timestamp::parse(&created).unwrap_or(Timestamp::from_millis(0)),
        account: account.unwrap_or_else(|| "default".to_owned()),
        is_ours: plain::text_of(item, "requestId").is_some(),
    })
}

/// Whether its sender and account can be told at all.
fn usable(request: &Plain) -> bool {
    AccountId::parse(&request.account).is_ok()
}

fn is_live(created: Timestamp) -> bool {
    now() <= created.plus(HOUR)
}

fn codes(data: &[u8]) -> impl Iterator<Item = PairingCode> {
    plain::quoted(data).filter_map(|text| PairingCode::parse(&text).ok()).take(4)
}
