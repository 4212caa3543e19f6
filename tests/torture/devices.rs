//! Processes that pair, rotate, revoke and remove devices in one state directory, killed at any moment.
//!
//! Each has devices of its own, so that it knows what becomes of them; all share the files. Before and after each thing
//! that it does it says so; what it was told must be there for whoever opens the files anew, and what was cut off is
//! wholly there or not at all.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use dmgate::World;
use dmgate::device::{
    Approver, Ask, Connected, Credential, Description, DeviceStore, Devices, Identity, PublicKey, Role,
    Scopes,
};
use dmgate::pairing::Surface;
use dmgate::store::{Actor, FileOptions};
use rand::RngExt as _;

use crate::{child, rounds, turn};

const WORKERS: u8 = 2;
/// Devices of one process.
const DEVICES: u8 = 8;

fn open(state: &Path) -> DeviceStore {
    let lock_wait = std::time::Duration::from_secs(60);
    let options = FileOptions { lock_wait, ..FileOptions::new(state) };
    DeviceStore::open(options, World::default()).unwrap()
}

fn key(device: u8) -> PublicKey {
    PublicKey::from_bytes([device; 32])
}

fn ask(device: u8) -> Ask {
    Ask {
        identity: Identity::unproven(key(device)),
        role: Role::Operator,
        scopes: Scopes::parse(["operator.read"]).unwrap(),
        description: Description::default(),
        remote_ip: None,
        is_trusted_network: false,
    }
}

/// How a device stands: nothing, its token, or that it was revoked.
fn standing(devices: &Devices, device: u8) -> String {
    let Some(known) = devices.device(&key(device).device_id()) else { return "out".into() };
    match known.grant(Role::Operator) {
        Some(grant) => grant.token.reveal().to_owned(),
        None => "revoked".into(),
    }
}

/// The process. What it says it says on stderr, as the others of these tests do.
#[test]
fn pairs() {
    let Some(state) = child::state() else { return };
    let number = u8::try_from(child::setting("DMGATE_TEST_NUMBER")).unwrap();
    let store = open(&state);
    let say = |what: String| std::io::stderr().write_all(format!("{what}\n").as_bytes()).unwrap();
    let actor = || Actor { name: "test".into(), surface: Surface::Local };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        loop {
            let device = 1 + number * DEVICES + rand::rng().random_range(0..DEVICES);
            let id = key(device).device_id();
            say(format!("begins {device}"));
            match rand::rng().random_range(0..5) {
                0 => drop(store.revoke(id, Role::Operator, Approver::Owner, actor()).await),
                1 => drop(store.remove(id, Approver::Owner, actor()).await),
                2 => drop(store.rotate(id, Role::Operator, None, Approver::Owner, actor()).await),
                _ => {
                    let asked = store.connect(ask(device), Credential::Secret).await.unwrap();
                    if let Connected::Pairing { request: Some(request), .. } = asked {
                        store.approve(request.id, Approver::Owner, actor()).await.unwrap();
                    }
                }
            }
            // Nobody else changes this one: what it reads now is what it was told.
            say(format!("ends {device} {}", standing(&store.view().devices, device)));
        }
    });
}

struct Worker {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Worker {
    fn start(state: &Path, number: u8) -> Self {
        let settings = [("DMGATE_TEST_NUMBER", number.to_string())];
        let mut command = child::command("devices::pairs", state, &settings);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// Hears so many lines more; gives what is known of each device, and what it is about to do.
    fn hear(&mut self, lines: usize, known: &mut BTreeMap<u8, String>, doing: &mut Option<u8>) -> usize {
        let mut heard = 0;
        for line in (&mut self.said).lines().take(lines) {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["begins", device] => *doing = Some(device.parse().unwrap()),
                ["ends", device, standing] => {
                    known.insert(device.parse().unwrap(), standing.to_owned());
                    *doing = None;
                    heard += 1;
                }
                _ => panic!("{line}"),
            }
        }
        heard
    }
}

#[test]
fn i4_i17_whoever_is_killed_leaves_all_or_nothing_of_devices() {
    let _turn = turn();
    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    drop(open(&state));
    let mut known: BTreeMap<u8, String> = BTreeMap::new();
    let mut workers: Vec<Worker> = (0..WORKERS).map(|number| Worker::start(&state, number)).collect();
    let (wanted, mut cut_off, mut changes) = (rounds("DMGATE_KILLS", 25), 0, 0);
    for _ in 0..wanted {
        let number = rand::rng().random_range(0..workers.len());
        let mut doing = None;
        changes += workers[number].hear(rand::rng().random_range(2..40), &mut known, &mut doing);
        workers[number].child.kill().unwrap();
        workers[number].child.wait().unwrap();
        // What it said before it died.
        changes += workers[number].hear(usize::MAX, &mut known, &mut doing);
        cut_off += usize::from(doing.is_some());
        let view = open(&state).view();
        assert!(view.paired_fault.is_none() && view.pending_fault.is_none(), "{view:?}");
        let first = 1 + u8::try_from(number).unwrap() * DEVICES;
        for device in first..first + DEVICES {
            let is = standing(&view.devices, device);
            // What was cut off may have come to its end.
            if doing == Some(device) {
                known.insert(device, is);
            } else {
                assert_eq!(is, known.get(&device).map_or("out", String::as_str), "device {device}");
            }
        }
        let mut waiting: Vec<_> = view.devices.pending.iter().map(|it| it.device_id).collect();
        waiting.sort();
        let all = waiting.len();
        waiting.dedup();
        assert_eq!(waiting.len(), all, "a device waits once");
        workers[number] = Worker::start(&state, u8::try_from(number).unwrap());
    }
    for worker in &mut workers {
        worker.child.kill().unwrap();
        worker.child.wait().unwrap();
    }
    println!("{wanted} kills, {cut_off} of them in the midst of a change; {changes} changes");
    assert!(cut_off > 0 && changes > wanted, "{cut_off} {changes}");
}
