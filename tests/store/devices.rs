//! The files about devices: their form, their damage, and who races for a setup code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dmgate::World;
use dmgate::device::{
    Approver, Ask, Connected, Credential, Description, DeviceRequestId, DeviceStore, Identity, PublicKey,
    Role, Scopes,
};
use dmgate::pairing::Surface;
use dmgate::store::{Actor, FileOptions};
use dmgate::testing::ManualClock;

fn open(state: &Path, world: World) -> DeviceStore {
    DeviceStore::open(FileOptions::new(state), world).unwrap()
}

pub(crate) fn ask(seed: u8) -> Ask {
    Ask {
        identity: Identity::unproven(PublicKey::from_bytes([seed; 32])),
        role: Role::Node,
        scopes: Scopes::default(),
        description: Description { display_name: Some("phone".into()), ..Description::default() },
        remote_ip: None,
        is_trusted_network: false,
    }
}

pub(crate) fn owner() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

async fn request(store: &DeviceStore, seed: u8) -> DeviceRequestId {
    match store.connect(ask(seed), Credential::Secret).await.unwrap() {
        Connected::Pairing { request: Some(request), .. } => request.id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn i10_the_files_have_the_established_form_and_keep_what_others_wrote() {
    let (state, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(1_700_000_000_000));
    let store = open(state.path(), clock.world());
    let id = request(&store, 1).await;
    let pending = state.path().join("devices/pending.json");
    let device = PublicKey::from_bytes([1; 32]).device_id();
    let written = fs::read_to_string(&pending).unwrap();
    let expected = format!(
        "{{\n  \"{id}\": {{\n    \"requestId\": \"{id}\",\n    \"deviceId\": \"{device}\",\n    \"publicKey\": \
         \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\",\n    \"displayName\": \"phone\",\n    \"role\": \"node\",\n    \
         \"roles\": [\n      \"node\"\n    ],\n    \"silent\": false,\n    \"isRepair\": false,\n    \"ts\": \
         1700000000000\n  }}\n}}"
    );
    assert_eq!(written, expected);
    assert_eq!(fs::metadata(&pending).unwrap().permissions().mode() & 0o777, 0o600);

    let other = "{\n  \"x\": {\"of\":  \"another form\"},\n  ";
    fs::write(
        &pending,
        written.replacen("{\n  ", other, 1).replace("\"silent\"", "\"later\": 7,\n    \"silent\""),
    )
    .unwrap();
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(request(&store, 1).await, id);
    let written = fs::read_to_string(&pending).unwrap();
    assert!(written.starts_with(other) && written.contains("\"later\": 7"), "{written}");
    store.approve(id, Approver::Owner, owner()).await.unwrap();
    assert_eq!(fs::read_to_string(&pending).unwrap(), "{\n  \"x\": {\"of\":  \"another form\"}\n}");
    let audit = fs::read_to_string(state.path().join("audit.jsonl")).unwrap();
    assert!(audit.contains("\"approve device\"") && audit.contains(&device.to_string()), "{audit}");
}

#[tokio::test]
async fn i7_damage_costs_what_rests_on_it_and_is_not_overwritten() {
    let (state, clock) = (tempfile::tempdir().unwrap(), ManualClock::now());
    let store = open(state.path(), clock.world());
    let id = request(&store, 1).await;
    store.approve(id, Approver::Owner, owner()).await.unwrap();
    let damage = |name: &str| {
        let path = state.path().join("devices").join(name);
        let before = fs::read(&path).unwrap_or_else(|_| b"{}".to_vec());
        fs::write(&path, "{\"cut").unwrap();
        (path, before)
    };
    let (pending, before) = damage("pending.json");
    assert!(
        matches!(store.connect(ask(1), Credential::Secret).await, Ok(Connected::In(_))),
        "known devices pass"
    );
    assert!(store.connect(ask(2), Credential::Secret).await.is_err());
    assert_eq!(fs::read(&pending).unwrap(), b"{\"cut");
    fs::write(&pending, before).unwrap();
    let (paired, before) = damage("paired.json");
    assert!(store.connect(ask(1), Credential::Secret).await.is_err(), "nobody is known");
    assert_eq!(fs::read(&paired).unwrap(), b"{\"cut");
    fs::write(&paired, before).unwrap();
    assert!(matches!(store.connect(ask(1), Credential::Secret).await, Ok(Connected::In(_))));
}

#[tokio::test]
async fn i17_of_sixty_four_who_race_for_a_setup_code_one_is_served() {
    let state = tempfile::tempdir().unwrap();
    let stores = [open(state.path(), World::default()), open(state.path(), World::default())];
    let code = stores[0].invite(owner()).await.unwrap();
    let race = (0..64_u8).map(|seed| {
        let (store, shown) = (stores[usize::from(seed % 2)].clone(), code.token.reveal().to_owned());
        tokio::spawn(async move { store.connect(ask(seed), Credential::Bootstrap(shown)).await.unwrap() })
    });
    let mut served = 0;
    for connected in race.collect::<Vec<_>>() {
        served +=
            usize::from(matches!(connected.await.unwrap(), Connected::Pairing { request: Some(_), .. }));
    }
    assert_eq!((served, stores[0].view().devices.pending.len()), (1, 1));
}
