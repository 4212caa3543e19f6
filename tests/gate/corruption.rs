//! Every truncation and every flipped bit of every document, asked through the gate. What each kind of damage costs is in
//! `damage.rs`; here it is shown for all of them, as far as it can be shown:
//!
//! - A list that is cut off lets nobody in. With a bit flipped it is void, or lets in just whom it says then: a flipped
//!   bit in an id makes another id.
//! - A pending file lets nobody in, and gives nobody a second code, since the hours are in our record.
//! - Our record is void with any bit flipped, and cut off anywhere but at the end of a line that was appended: there it
//!   can't be told from one that was not written, and an hour may be lost, but no block, alias or lock-out.
//! - The audit decides nothing.
//!
//! `DMGATE_CORRUPTION_BITS` says how many bits of each byte are flipped (2); `tests/long.sh corruption` flips all eight.

use std::fs;
use std::path::PathBuf;

use dmgate::pairing::{Surface, Target};
use dmgate::{AccountKey, Decision};

use crate::damage::put;
use crate::scene::{On, Scene, actor, alpha, id, key, message};

const ALLOWED: &str = "credentials/alpha-allowFrom.json";
const ALSO_ALLOWED: &str = "credentials/alpha-default-allowFrom.json";
const AT_WORK: &str = "credentials/alpha-work-allowFrom.json";
const PENDING: &str = "credentials/alpha-pairing.json";
const RECORD: &str = "credentials/alpha-dmgate.jsonl";
const AUDIT: &str = "audit.jsonl";
const ALL: [&str; 6] = [ALLOWED, ALSO_ALLOWED, AT_WORK, PENDING, RECORD, AUDIT];

/// Who is asked about, and what is said while all is whole. `p-2` holds an alias behind which `p-1` was seen.
const ASKED: [(&str, &[&str], &str); 9] = [
    ("default", &["in"], "allowlisted"),
    ("default", &["also"], "allowlisted"),
    ("work", &["colleague"], "allowlisted"),
    ("work", &["in"], "pairing_required"),
    ("default", &["out"], "blocked"),
    ("default", &["p-2", "alias"], "pending_full"),
    ("default", &["waits"], "already_pending"),
    ("default", &["past"], "hour_used"),
    ("default", &["stranger"], "pending_full"),
];

/// A state directory, whole, to be put back before each case.
struct Whole {
    scene: Scene,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Whole {
    /// Somebody in on each list, somebody out, two who wait, one whose hour runs; all hours in the head of the record.
    async fn new() -> Self {
        let scene = Scene::new(On::Files);
        let store = scene.store();
        for who in ["in", "alias"] {
            scene.allow(who).await;
        }
        store.allow(&key("alpha", "work"), &id("colleague"), &actor()).await.unwrap();
        put(
            &scene.state().join(ALSO_ALLOWED),
            b"{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"also\"\n  ]\n}\n",
        );
        assert_eq!(scene.says(&["p-1", "alias"]).await, "allowlisted");
        for who in ["waits", "second", "past"] {
            scene.code(&[who]).await;
        }
        scene.approve(Target::Sender(id("past")), Surface::Local).await.unwrap();
        scene.revoke("past").await;
        scene.block("out").await;
        let read = |name| (name, fs::read(scene.state().join(name)).unwrap());
        let files = ALL.map(read).into();
        Self { scene, files }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scene.state().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        self.files.iter().find(|(other, _)| *other == name).unwrap().1.clone()
    }

    /// Puts one file as given and the others whole.
    fn put(&self, name: &str, bytes: &[u8]) {
        for (other, whole) in &self.files {
            put(&self.path(other), if *other == name { bytes } else { whole });
        }
    }

    /// What the gate says of everybody, and what must hold whatever is damaged.
    async fn ask(&self, name: &str, bytes: &[u8], case: &str) -> Vec<&'static str> {
        self.put(name, bytes);
        let mut said = Vec::new();
        for (account, ids, _) in ASKED {
            said.push(self.scene.verdict(&message(&key("alpha", account), ids)).await);
        }
        let codes = said.iter().filter(|said| **said == "pairing_required").count();
        // A damaged pending file may have lost requests, which leaves slots free.
        assert!(codes <= 1 || name == PENDING, "{case}: there was one free slot, {said:?}");
        let waiting = self.scene.store().pending(alpha().channel()).await;
        assert!(waiting.is_ok_and(|waiting| waiting.len() <= 3) || said.contains(&UNREADABLE), "{case}");
        for (at, (_, ids, whole)) in ASKED.iter().enumerate() {
            assert!(said[at] != "allowlisted" || *whole == "allowlisted", "{case}: {ids:?} is let in");
        }
        assert!(matches!(said[4], "blocked" | UNREADABLE), "{case}: the block is lost");
        said
    }

    /// The owner tries this and that, and what can't be trusted is as it was.
    async fn is_left_alone(&self, name: &str, bytes: &[u8], case: &str) {
        crate::damage::try_everything(&self.scene).await;
        assert_eq!(fs::read(self.path(name)).unwrap(), bytes, "{case}: overwritten");
    }
}

const UNREADABLE: &str = "store_unreadable";

/// Which of `ASKED` a damaged file costs.
fn costs(name: &str) -> fn(&str, &[&str]) -> bool {
    match name {
        ALLOWED | ALSO_ALLOWED => |account, ids| account == "default" && ids != ["out"],
        AT_WORK => |account, _| account == "work",
        _ => |_, _| true,
    }
}

fn bits() -> u32 {
    std::env::var("DMGATE_CORRUPTION_BITS").map_or(2, |bits| bits.parse().unwrap())
}

/// Each bit, or two of the eight, others for each byte.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let chosen =
        |at: usize, bit: u32| (0..bits()).any(|nth| (u32::try_from(at).unwrap() + nth * 3) % 8 == bit);
    let all = (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    all.filter(move |(at, bit)| bits() >= 8 || chosen(*at, *bit)).map(|(at, bit)| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << bit;
        (format!("bit {bit} of byte {at}"), bytes)
    })
}

fn whole() -> Vec<&'static str> {
    ASKED.map(|(.., said)| said).into()
}

async fn a_list_is_void_or_says_whom_it_lets_in(name: &str, account: AccountKey) {
    let whole_files = Whole::new().await;
    let bytes = whole_files.bytes(name);
    assert_eq!(whole_files.ask(name, &bytes, "whole").await, whole());
    for at in 0..bytes.len() {
        let (cut, case) = (&bytes[..at], format!("{name} cut at {at}"));
        let said = whole_files.ask(name, cut, &case).await;
        if cut.trim_ascii_end() == bytes.trim_ascii_end() {
            assert_eq!(said, whole(), "{case}");
            continue;
        }
        for (at, (account, ids, _)) in ASKED.iter().enumerate().filter(|(_, it)| costs(name)(it.0, it.1)) {
            assert_eq!(said[at], UNREADABLE, "{case}: {ids:?} on {account}");
        }
        whole_files.is_left_alone(name, cut, &case).await;
    }
    for (case, bytes) in flipped(&bytes) {
        let case = format!("{name}, {case}");
        let said = whole_files.ask(name, &bytes, &case).await;
        let is_void = said.contains(&UNREADABLE);
        let document: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        let listed = document.as_ref().and_then(|document| document["allowFrom"].as_array());
        assert!(is_void || listed.is_some(), "{case}: read, though it is no document");
        for entry in listed.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            let Ok(who) = dmgate::SenderId::parse_entry(account.channel(), entry) else { continue };
            let now = whole_files.scene.verdict(&message(&account, &[who.as_str()])).await;
            assert_eq!(now, if is_void { UNREADABLE } else { "allowlisted" }, "{case}: {entry}");
        }
        if is_void {
            whole_files.is_left_alone(name, &bytes, &case).await;
        }
    }
}

#[tokio::test]
async fn i1_i7_no_damage_of_a_list_lets_anybody_in() {
    a_list_is_void_or_says_whom_it_lets_in(ALLOWED, alpha()).await;
}

#[tokio::test]
async fn i1_i7_no_damage_of_the_neighbours_list_lets_anybody_in() {
    a_list_is_void_or_says_whom_it_lets_in(ALSO_ALLOWED, alpha()).await;
}

#[tokio::test]
async fn i1_i7_no_damage_of_an_accounts_list_lets_anybody_in() {
    a_list_is_void_or_says_whom_it_lets_in(AT_WORK, key("alpha", "work")).await;
}

#[tokio::test]
async fn i2_i3_i7_no_damage_of_a_pending_file_gives_a_second_code() {
    let whole = Whole::new().await;
    let bytes = whole.bytes(PENDING);
    let cut = (0..bytes.len()).map(|at| (format!("cut at {at}"), bytes[..at].to_vec()));
    for (case, bytes) in cut.chain(flipped(&bytes)) {
        let said = whole.ask(PENDING, &bytes, &case).await;
        assert_eq!(said[..3], ["allowlisted"; 3], "{case}");
        assert!(matches!(said[6], "already_pending" | "hour_used" | UNREADABLE), "{case}: {said:?}");
        assert!(matches!(said[7], "hour_used" | UNREADABLE), "{case}: {said:?}");
        if said.contains(&UNREADABLE) {
            whole.is_left_alone(PENDING, &bytes, &case).await;
        }
    }
}

#[tokio::test]
async fn i2_i7_i15_no_damage_of_our_record_forgets_anything() {
    let whole = Whole::new().await;
    let bytes = whole.bytes(RECORD);
    let cut = (0..bytes.len()).map(|at| (format!("cut at {at}"), bytes[..at].to_vec()));
    for (case, bytes) in cut.chain(flipped(&bytes)) {
        assert_eq!(whole.ask(RECORD, &bytes, &case).await, [UNREADABLE; ASKED.len()], "{case}");
        whole.is_left_alone(RECORD, &bytes, &case).await;
    }
}

/// What was appended and is cut off at its end was never written, as far as anybody can tell: of all that counts, only the
/// hours in these lines are lost.
#[tokio::test]
async fn i7_no_cut_of_what_was_appended_forgets_more_than_that() {
    let mut whole = Whole::new().await;
    let head = whole.bytes(RECORD).len();
    let last = whole.scene.gate.admit(&message(&alpha(), &["last"])).await;
    assert!(matches!(last, Decision::Challenge(_)));
    whole.files = ALL.map(|name| (name, fs::read(whole.path(name)).unwrap())).into();
    let bytes = whole.bytes(RECORD);
    assert!(bytes.len() > head);
    for at in head..bytes.len() {
        let said = whole.ask(RECORD, &bytes[..at], &format!("cut at {at}")).await;
        assert_eq!(said[..3], ["allowlisted"; 3], "cut at {at}");
        assert_eq!((said[4], said[6], said[7]), ("blocked", "already_pending", "hour_used"), "cut at {at}");
    }
}

#[tokio::test]
async fn no_damage_of_the_audit_changes_anything() {
    let whole = Whole::new().await;
    let bytes = whole.bytes(AUDIT);
    let cut = (0..bytes.len()).step_by(7).map(|at| (format!("cut at {at}"), bytes[..at].to_vec()));
    for (case, bytes) in cut.chain(flipped(&bytes).step_by(7)) {
        assert_eq!(whole.ask(AUDIT, &bytes, &case).await, self::whole(), "{case}");
        whole.scene.allow("new").await;
        assert!(fs::read(whole.path(AUDIT)).unwrap().starts_with(&bytes), "{case}: what was noted stays");
    }
}
