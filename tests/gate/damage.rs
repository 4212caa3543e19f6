//! Files that can't be trusted: what each costs, and that none is overwritten.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use dmgate::pairing::{Approval, Handover, Knock, Knocked, Target};

use crate::scene::{On, Scene, actor, alpha, id, key, message};

const ALLOWED: &str = "alpha-allowFrom.json";
const PENDING: &str = "alpha-pairing.json";
const RECORD: &str = "alpha-dmgate.jsonl";

pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let temp = path.with_extension("other.tmp");
    let mut file = fs::File::create(&temp).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    rustix::fs::rename(&temp, path).unwrap();
}

/// Somebody in, somebody out and somebody waiting, on two accounts of one channel and on another channel.
async fn scene() -> Scene {
    let scene = Scene::new(On::Files);
    for at in [alpha(), key("alpha", "work"), key("beta", "default")] {
        scene.store().allow(&at, &id("in"), &actor()).await.unwrap();
        scene.store().block(&at, &id("out"), &actor()).await.unwrap();
    }
    scene.code(&["waits"]).await;
    scene
}

/// What is there, without following anything: the kind and mode, the target or the contents.
fn look(path: &Path) -> (u32, Option<Vec<u8>>) {
    let facts = fs::symlink_metadata(path).unwrap();
    let contents = match facts.file_type() {
        kind if kind.is_symlink() => {
            fs::read_link(path).ok().map(|to| to.into_os_string().into_encoded_bytes())
        }
        kind if kind.is_file() => fs::read(path).ok(),
        _ => None,
    };
    (facts.permissions().mode(), contents)
}

fn owner_is_foreign(path: &Path) {
    std::os::unix::fs::chown(path, Some(12_345), Some(12_345)).unwrap();
}

type Damage = (&'static str, fn(&Path));

fn damages() -> Vec<Damage> {
    let mut damages: Vec<Damage> = vec![
        ("empty", |path| put(path, b"")),
        ("null", |path| put(path, b"null\n")),
        ("a list", |path| put(path, b"[]\n")),
        ("an object without anything", |path| put(path, b"{}\n")),
        ("no JSON", |path| put(path, b"{ \"version\": 1, \"allowFrom\": [ \"in\" ], }\n")),
        ("not UTF-8", |path| put(path, b"{ \"version\": 1, \"allowFrom\": [ \"\xff\" ] }\n")),
        ("a byte-order mark", |path| {
            let bytes = fs::read(path).unwrap();
            put(path, &[b"\xef\xbb\xbf", &*bytes].concat());
        }),
        ("a later version", |path| {
            let text = fs::read_to_string(path).unwrap();
            let later =
                text.replace("\"version\": 1", "\"version\": 2").replace("{\"dmgate\":1", "{\"dmgate\":2");
            put(path, later.as_bytes());
        }),
        ("cut in half", |path| {
            let bytes = fs::read(path).unwrap();
            // Of a record, within its first line.
            put(path, &bytes[..bytes.len().min(40)]);
        }),
        ("a symbolic link", |path| {
            rustix::fs::rename(path, path.with_extension("elsewhere")).unwrap();
            symlink(path.with_extension("elsewhere"), path).unwrap();
        }),
        ("a link to nothing", |path| {
            fs::remove_file(path).unwrap();
            symlink("/nowhere/at/all", path).unwrap();
        }),
        ("a pipe", |path| {
            fs::remove_file(path).unwrap();
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        }),
        ("a directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("writable by the group", |path| fs::set_permissions(path, Permissions::from_mode(0o620)).unwrap()),
        ("writable by all", |path| fs::set_permissions(path, Permissions::from_mode(0o602)).unwrap()),
    ];
    // Only root can give a file away.
    if rustix::process::geteuid().is_root() {
        damages.push(("somebody else's", owner_is_foreign));
    }
    damages
}

/// What the owner tries meanwhile; whether each works is the store's affair, the damaged file is not.
pub(crate) async fn try_everything(scene: &Scene) {
    for at in [alpha(), key("alpha", "work")] {
        let store = scene.store();
        let _ = store.allow(&at, &id("new"), &actor()).await;
        let _ = store.revoke(&at, &id("new"), &actor()).await;
        let _ = store.block(&at, &id("bad"), &actor()).await;
        let _ = store.unblock(&at, &id("bad"), &actor()).await;
        let _ = store.bind(&at, &id("alias"), &id("primary")).await;
        let target = Target::Sender(id("waits"));
        let approval = Approval { target, account: None, notify: true };
        let _ = store.reject(at.channel(), approval.clone(), true, &actor()).await;
        let _ = store.approve(at.channel(), approval, &actor()).await;
        let _ = store.pending(at.channel()).await;
    }
}

async fn verdicts(scene: &Scene, account: &str, channel: &str) -> [&'static str; 3] {
    let at = key(channel, account);
    let mut said = [""; 3];
    for (place, who) in ["in", "out", "stranger"].into_iter().enumerate() {
        said[place] = scene.verdict(&message(&at, &[who])).await;
    }
    said
}

const FINE: [&str; 3] = ["allowlisted", "blocked", "pairing_required"];

#[tokio::test]
async fn i7_i8_a_damaged_allow_file_costs_its_account() {
    for (what, damage) in damages() {
        let scene = scene().await;
        let path = scene.dir().join(ALLOWED);
        damage(&path);
        let before = look(&path);
        let own = verdicts(&scene, "default", "alpha").await;
        assert_eq!(own, ["store_unreadable", "blocked", "store_unreadable"], "{what}");
        assert_eq!(verdicts(&scene, "work", "alpha").await, FINE, "{what}");
        assert_eq!(verdicts(&scene, "default", "beta").await, FINE, "{what}");
        let target = Target::Sender(id("stranger"));
        let account = Some(key("alpha", "work").account().clone());
        let approval = Approval { target, account, notify: false };
        scene.store().approve(alpha().channel(), approval, &actor()).await.unwrap();
        try_everything(&scene).await;
        assert_eq!(look(&path), before, "{what}: untouched");
    }
}

#[tokio::test]
async fn i7_either_file_of_the_default_account_may_be_the_damaged_one() {
    let scene = scene().await;
    let second = scene.dir().join("alpha-default-allowFrom.json");
    put(&second, b"{ \"version\": 1, \"allowFrom\": [\"also\"] }\n");
    assert_eq!(scene.says(&["also"]).await, "allowlisted");
    assert_eq!(scene.says(&["in"]).await, "allowlisted");
    put(&second, b"{ \"version\": 1, \"allowFrom\": [\"also\"");
    assert_eq!(scene.says(&["in"]).await, "store_unreadable");
    fs::remove_file(&second).unwrap();
    assert_eq!(scene.says(&["in"]).await, "allowlisted");
    // In both of them: a revocation clears both.
    put(&second, b"{ \"version\": 1, \"allowFrom\": [\"in\", 12, null, \"alpha:in\"] }\n");
    let revoked = scene.store().revoke(&alpha(), &id("in"), &actor()).await.unwrap();
    assert_eq!(revoked.entries, 2);
    assert_ne!(scene.says(&["in"]).await, "allowlisted");
    let left = fs::read_to_string(&second).unwrap();
    assert!(left.contains("12") && left.contains("null") && left.contains("alpha:in"), "{left}");
}

#[tokio::test]
async fn i7_a_damaged_pending_file_costs_new_codes() {
    for (what, damage) in damages() {
        let scene = scene().await;
        let path = scene.dir().join(PENDING);
        damage(&path);
        let before = look(&path);
        for account in ["default", "work"] {
            let said = verdicts(&scene, account, "alpha").await;
            assert_eq!(said, ["allowlisted", "blocked", "store_unreadable"], "{what}");
        }
        assert_eq!(verdicts(&scene, "default", "beta").await, FINE, "{what}");
        try_everything(&scene).await;
        assert_eq!(look(&path), before, "{what}: untouched");
        let state = scene.store().load(&alpha()).await.snapshot;
        assert!(!scene.dir().join(PENDING).is_file() || state.record.is_ok());
    }
}

#[tokio::test]
async fn i7_a_damaged_record_costs_the_channel() {
    for (what, damage) in damages() {
        let scene = scene().await;
        let path = scene.dir().join(RECORD);
        damage(&path);
        let before = look(&path);
        for account in ["default", "work"] {
            assert_eq!(verdicts(&scene, account, "alpha").await, ["store_unreadable"; 3], "{what}");
        }
        assert_eq!(verdicts(&scene, "default", "beta").await, FINE, "{what}");
        try_everything(&scene).await;
        assert_eq!(look(&path), before, "{what}: untouched");
    }
}

/// Whatever asks the store itself meets the same trouble: the gate is not its only caller.
#[tokio::test]
async fn i7_the_store_gives_no_code_and_decides_none_by_a_damaged_file() {
    for damaged in [PENDING, RECORD] {
        let scene = scene().await;
        put(&scene.dir().join(damaged), b"{");
        let (channel, store) = (alpha(), scene.store());
        assert!(store.knock(channel.channel(), knock_of("1")).await.is_err(), "{damaged}");
        let target = Target::Sender(id("waits"));
        let approval = Approval { target, account: None, notify: false };
        assert!(store.approve(channel.channel(), approval.clone(), &actor()).await.is_err(), "{damaged}");
        assert!(store.reject(channel.channel(), approval, false, &actor()).await.is_err(), "{damaged}");
        assert!(store.pending(channel.channel()).await.is_err(), "{damaged}");
    }
}

#[tokio::test]
async fn i7_an_open_account_is_closed_by_a_damaged_allow_file() {
    let scene = scene().await;
    scene.gate.set_policies([], crate::scene::policy(dmgate::DmPolicy::Open, &["*"]));
    assert_eq!(scene.says(&["stranger"]).await, "open");
    put(&scene.dir().join(ALLOWED), b"{");
    assert_eq!(scene.says(&["stranger"]).await, "store_unreadable");
    assert_eq!(scene.says(&["in"]).await, "store_unreadable");
    // Where approvals do not count, the file is not needed.
    scene.gate.set_policies([], crate::scene::policy(dmgate::DmPolicy::Allowlist, &["listed"]));
    assert_eq!(scene.says(&["listed"]).await, "allowlisted");
}

fn knock_of(who: &str) -> Knock {
    Knock {
        account: alpha().account().clone(),
        sender: crate::scene::sender(&[who]),
        route: dmgate::ReplyRoute::new("r"),
        source: None,
        meta: Vec::new(),
        limits: dmgate::Limits::default(),
        handover: Handover::Outbox,
    }
}

/// Codes that were still to be sent are sent when the pending file is whole again.
#[tokio::test]
async fn i6_i7_a_damaged_pending_file_drops_no_sending() {
    let (scene, knock) = (scene().await, knock_of("1"));
    let channel = alpha();
    assert!(matches!(scene.store().knock(channel.channel(), knock).await, Ok(Knocked::Issued(_))));
    let path = scene.dir().join(PENDING);
    let whole = fs::read(&path).unwrap();
    put(&path, b"{");
    scene.block("somebody").await;
    scene.allow("someone").await;
    put(&path, &whole);
    let state = scene.store().load(&alpha()).await.snapshot;
    assert_eq!(state.record.as_ref().unwrap().1.sends.len(), 1);
}

/// No file at all is an account of which nothing is known yet.
#[tokio::test]
async fn i7_an_absent_file_lets_nobody_in() {
    let scene = scene().await;
    fs::remove_file(scene.dir().join(ALLOWED)).unwrap();
    assert_eq!(scene.says(&["in"]).await, "pairing_required");
    fs::remove_file(scene.dir().join(PENDING)).unwrap();
    assert_eq!(scene.says(&["in"]).await, "hour_used");
    fs::remove_dir_all(scene.dir()).unwrap();
    assert_eq!(scene.says(&["in"]).await, "store_unreadable");
}

/// A directory that others can write to is not trusted.
#[tokio::test]
async fn i7_a_directory_that_others_write_to_lets_nobody_in() {
    let scene = scene().await;
    fs::set_permissions(scene.dir(), Permissions::from_mode(0o770)).unwrap();
    let again = dmgate::store::FileStore::open(
        dmgate::store::FileOptions::new(scene.dir().parent().unwrap()),
        scene.clock.world(),
    );
    assert!(again.is_err_and(|error| error.to_string().contains("chmod go-w")));
}
