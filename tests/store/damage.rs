//! Damaged, foreign and unsafe files about devices and nodes: each costs what rests on it, and stays as it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use dmgate::device::{
    Approver, Connected, Credential, DeviceRequestId, DeviceStore, NodeAsk, NodeStore, PublicKey, Role,
};
use dmgate::store::{FileOptions, FileStore, Level};
use dmgate::testing::ManualClock;

use crate::devices::{ask, owner};

const FILES: [&str; 5] = [
    "devices/pending.json",
    "devices/paired.json",
    "devices/bootstrap.json",
    "nodes/pending.json",
    "nodes/paired.json",
];

struct House {
    temp: tempfile::TempDir,
    devices: DeviceStore,
    nodes: NodeStore,
    store: FileStore,
    code: String,
}

fn node(name: &str) -> NodeAsk {
    NodeAsk { node_id: name.into(), ..NodeAsk::default() }
}

impl House {
    /// 1 is in, 2 waits, a code is free; of the nodes `in` is in, and `waits` waits.
    async fn new() -> Self {
        let shm = Path::new("/dev/shm");
        let temp = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let world = ManualClock::at(1_900_000_000_000).world();
        let options = FileOptions { watch: false, ..FileOptions::new(temp.path()) };
        let devices = DeviceStore::open(options.clone(), world.clone()).unwrap();
        let nodes = NodeStore::open(options.clone(), world.clone()).unwrap();
        let store = FileStore::open(options, world).unwrap();
        for number in [1, 2] {
            devices.connect(ask(number), Credential::Secret).await.unwrap();
            if number == 1 {
                let id = devices.view().devices.pending[0].id.clone();
                devices.approve(id, Approver::Owner, owner()).await.unwrap();
            }
        }
        let code = devices.invite(owner()).await.unwrap().token.reveal().to_owned();
        for name in ["in", "waits"] {
            let asked = nodes.request(node(name)).await.unwrap().unwrap().0;
            if name == "in" {
                nodes.approve(asked.id, owner()).await.unwrap();
            }
        }
        Self { temp, devices, nodes, store, code }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.temp.path().join(name)
    }

    async fn comes(&self, device: u8) -> Result<bool, ()> {
        let connected = self.devices.connect(ask(device), Credential::Secret).await;
        connected.map(|connected| matches!(connected, Connected::In(_))).map_err(drop)
    }

    /// Whatever anybody may try; says what was done.
    async fn tries_everything(&self) -> Vec<&'static str> {
        let Self { devices, nodes, .. } = self;
        let key = PublicKey::from_bytes([1; 32]).device_id();
        let mut done = Vec::new();
        let mut note = |what, is_done| {
            if is_done {
                done.push(what);
            }
        };
        note(
            "ask",
            matches!(devices.connect(ask(3), Credential::Secret).await, Ok(Connected::Pairing { .. })),
        );
        let shown = Credential::Bootstrap(self.code.clone());
        note("code", matches!(devices.connect(ask(4), shown).await, Ok(Connected::Pairing { .. })));
        let waits = devices.view().devices.pending.first().map(|request| request.id.clone());
        let waits = waits.unwrap_or_else(|| DeviceRequestId::typed("none"));
        note("approve", devices.approve(waits, Approver::Owner, owner()).await.is_ok());
        note("rotate", devices.rotate(key, Role::Node, None, Approver::Owner, owner()).await.is_ok());
        note("revoke", devices.revoke(key, Role::Node, Approver::Owner, owner()).await.is_ok());
        note("remove", devices.remove(key, Approver::Owner, owner()).await.is_ok());
        note("invite", devices.invite(owner()).await.is_ok());
        note("cancel", devices.cancel_invitations(owner()).await.is_ok());
        note("clear", devices.clear(true, Approver::Owner, owner()).await.is_ok());
        note("node asks", nodes.request(node("new")).await.is_ok());
        note("node renamed", nodes.rename("in".into(), "x".into(), owner()).await.is_ok());
        done
    }

    /// What `doctor` says about a file.
    fn says(&self, name: &str) -> Option<Level> {
        let findings = self.store.inspect();
        let is_it = |subject: &str| subject.ends_with(name);
        findings.into_iter().find(|finding| is_it(&finding.subject)).map(|finding| finding.level)
    }
}

/// What is done all the same.
fn what_goes_on(file: &str) -> &'static [&'static str] {
    const NODES: [&str; 2] = ["node asks", "node renamed"];
    match file {
        "devices/pending.json" => &["rotate", "revoke", "remove", "invite", "cancel", NODES[0], NODES[1]],
        "devices/paired.json" => &["invite", "cancel", NODES[0], NODES[1]],
        "devices/bootstrap.json" => {
            &["ask", "approve", "rotate", "revoke", "remove", "clear", NODES[0], NODES[1]]
        }
        _ => &["ask", "code", "approve", "rotate", "revoke", "remove", "invite", "cancel", "clear"],
    }
}

#[tokio::test]
async fn i7_i17_each_kind_of_damage_costs_what_rests_on_the_file_and_it_stays() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 9] = [
        ("empty", |path| fs::write(path, "").unwrap()),
        ("cut", |path| fs::write(path, "{\"x\": {").unwrap()),
        ("a mark before it", |path| fs::write(path, b"\xef\xbb\xbf{}").unwrap()),
        ("no text", |path| fs::write(path, b"{\"\xff\": 1}").unwrap()),
        ("a list", |path| fs::write(path, "[]").unwrap()),
        ("a key twice", |path| fs::write(path, r#"{"a": {}, "a": {}}"#).unwrap()),
        ("others can write", |path| fs::set_permissions(path, PermissionsExt::from_mode(0o622)).unwrap()),
        ("a link", |path| {
            let real = path.with_extension("real");
            fs::rename(path, &real).unwrap();
            symlink(real, path).unwrap();
        }),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for file in FILES {
        for (what, damage) in damages {
            let house = House::new().await;
            damage(&house.path(file));
            let read = || fs::read(house.path(file)).map_err(|error| error.kind());
            let before = (read(), fs::symlink_metadata(house.path(file)).unwrap().permissions().mode());
            let comes = house.comes(1).await;
            assert_eq!(comes == Ok(true), file != "devices/paired.json", "{file}, {what}: {comes:?}");
            assert_ne!(house.comes(9).await, Ok(true), "{file}, {what}");
            let done = house.tries_everything().await;
            assert_eq!(done, what_goes_on(file), "{file}, {what}");
            let after = (read(), fs::symlink_metadata(house.path(file)).unwrap().permissions().mode());
            assert_eq!(after, before, "{file}, {what}: it is as it was");
            assert_eq!(house.says(file), Some(Level::Error), "{file}, {what}");
        }
    }
}

/// Cut off at each byte, and with bits flipped: nobody is in who was not, and what can't be read is as it was.
#[tokio::test]
async fn i1_i7_i17_each_cut_and_flip_lets_nobody_in() {
    let bits: u32 = std::env::var("DMGATE_CORRUPTION_BITS").map_or(1, |bits| bits.parse().unwrap());
    let house = House::new().await;
    let good = FILES.map(|file| fs::read(house.path(file)).unwrap());
    for (file, whole) in FILES.iter().zip(&good) {
        // In the short form at every third byte.
        let places = (0..whole.len()).step_by(if bits == 1 { 3 } else { 1 });
        let cuts = places.clone().map(|at| whole[..at].to_vec());
        let flips = places.flat_map(|at| (0..bits).map(move |bit| (at, bit))).map(|(at, bit)| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << ((bit + u32::try_from(at).unwrap()) % 8);
            bytes
        });
        for bytes in cuts.chain(flips) {
            fs::write(house.path(file), &bytes).unwrap();
            let view = house.devices.view();
            for device in [2, 9] {
                assert_ne!(house.comes(device).await, Ok(true), "{file}: {}", bytes.escape_ascii());
            }
            let is_read = match *file {
                "devices/pending.json" => view.pending_fault.is_none(),
                "devices/paired.json" => view.paired_fault.is_none(),
                "devices/bootstrap.json" => view.bootstrap_fault.is_none(),
                _ => house.nodes.request(node("in")).await.is_ok(),
            };
            if !is_read {
                house.tries_everything().await;
                assert_eq!(fs::read(house.path(file)).unwrap(), bytes, "{file}");
            }
            for (other, bytes) in FILES.iter().zip(&good) {
                fs::write(house.path(other), bytes).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn doctor_tells_what_is_strange_among_devices() {
    let house = House::new().await;
    let said = || {
        let mut findings = house.store.inspect();
        findings.retain(|it| it.subject.contains("/devices") || it.subject.contains("/nodes"));
        findings
    };
    assert!(said().is_empty(), "{:?}", said());
    let path = house.path("devices/paired.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, problem) in [
        ("{\n", "{\n  \"x\": {\"of\": \"later\"},\n", "a form that dmgate does not know"),
        ("1900000000000", "1900000900000", "a clock ran ahead"),
        ("AQEBAQ", "AgEBAQ", "another key than that of their id"),
        (
            "\"scopes\": [],\n        \"createdAtMs\"",
            "\"scopes\": [\"x\"],\n        \"createdAtMs\"",
            "more rights",
        ),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let findings = said();
        assert!(findings.iter().any(|it| it.problem.contains(problem)), "{problem}: {findings:?}");
        assert!(findings.iter().all(|it| !it.mend.is_empty() && it.level == Level::Warning), "{findings:?}");
    }
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(path.with_extension("json.x.tmp"), "").unwrap();
    fs::set_permissions(house.path("nodes"), PermissionsExt::from_mode(0o755)).unwrap();
    let findings = said();
    for problem in ["others can read it", "others can look into it", "left behind by a program"] {
        assert!(findings.iter().any(|it| it.problem.contains(problem)), "{problem}: {findings:?}");
    }
    fs::set_permissions(house.path("nodes"), PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(house.says("/nodes"), Some(Level::Error));
}
