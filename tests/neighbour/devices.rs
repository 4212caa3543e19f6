//! Devices and nodes: the files of both programs, read and written in turn.

use dmgate::World;
use dmgate::device::{
    Approver, Ask, Connected, Credential, Description, DeviceStore, Identity, NodeAsk, NodeStore, PublicKey,
    Refused, Role, Scopes, SetupCode,
};
use dmgate::store::FileOptions;
use dmgate_test_peers::NeighbourStore;
use serde_json::{Value, json};

use crate::{House, owner};

const READ: &str = "operator.read";

fn devices(house: &House) -> DeviceStore {
    DeviceStore::open(FileOptions::new(house.state.path()), World::default()).unwrap()
}

fn nodes(house: &House) -> NodeStore {
    NodeStore::open(FileOptions::new(house.state.path()), World::default()).unwrap()
}

fn key(device: u8) -> PublicKey {
    PublicKey::from_bytes([device; 32])
}

fn id(device: u8) -> String {
    key(device).device_id().to_string()
}

fn ask(device: u8, role: Role, scopes: &[&str]) -> Ask {
    Ask {
        identity: Identity::unproven(key(device)),
        role,
        scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
        description: Description {
            display_name: Some("Ann\u{2019}s".into()),
            platform: Some("linux".into()),
            ..Description::default()
        },
        remote_ip: None,
        is_trusted_network: false,
    }
}

/// A device asks its gateway.
fn its_request(neighbour: &mut NeighbourStore, device: u8, role: &str, scopes: &[&str]) -> Value {
    let asked = json!({ "deviceId": id(device), "publicKey": key(device).to_string(), "displayName": "Ann\u{2019}s",
        "platform": "linux", "role": role, "scopes": scopes, "silent": false });
    neighbour.device("requestDevicePairing", &[asked])["request"].clone()
}

/// Whether its gateway takes this token.
fn it_takes(neighbour: &mut NeighbourStore, device: u8, token: &str, role: &str, scopes: &[&str]) -> bool {
    let shown = json!({ "deviceId": id(device), "token": token, "role": role, "scopes": scopes });
    neighbour.device("verifyDeviceToken", &[shown])["ok"] == true
}

async fn is_in(store: &DeviceStore, ask: &Ask, token: &str) -> bool {
    let connected = store.connect(ask.clone(), Credential::Token(token.to_owned())).await.unwrap();
    assert!(matches!(connected, Connected::In(_) | Connected::Refused(Refused::Token)), "{connected:?}");
    matches!(connected, Connected::In(_))
}

fn token_of(store: &DeviceStore, device: u8, role: Role) -> String {
    let view = store.view();
    view.devices.device(&key(device).device_id()).unwrap().tokens[&role].token.reveal().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_was_asked_the_other_approves_and_the_token_is_good_for_both() {
    let house = House::new();
    let (store, mut neighbour) = (devices(&house), house.openclaw.store());
    let admin = json!({ "callerScopes": ["operator.admin"] });
    for (device, role, scopes) in
        [(1, Role::Node, &[][..]), (2, Role::Operator, &[READ]), (3, Role::Operator, &["operator.admin"])]
    {
        let its = its_request(&mut neighbour, device, role.as_str(), scopes);
        let waiting = store.view().devices.pending.clone();
        let request = waiting.iter().find(|request| request.id.as_str() == its["requestId"]).unwrap();
        assert_eq!((request.role, &request.scopes), (role, &ask(device, role, scopes).scopes));
        store.approve(request.id.clone(), Approver::Owner, owner()).await.unwrap();
        let token = token_of(&store, device, role);
        assert!(is_in(&store, &ask(device, role, scopes), &token).await);
        assert!(role == Role::Node || it_takes(&mut neighbour, device, &token, role.as_str(), scopes));

        let other = device + 10;
        let wanted = ask(other, role, scopes);
        let Connected::Pairing { request: Some(request), .. } =
            store.connect(wanted.clone(), Credential::Secret).await.unwrap()
        else {
            panic!()
        };
        let listed = neighbour.device("listDevicePairing", &[])["pending"][0].clone();
        assert_eq!(
            (&listed["requestId"], &listed["deviceId"]),
            (&json!(request.id.as_str()), &json!(id(other)))
        );
        let approved = neighbour.device("approveDevicePairing", &[json!(request.id.as_str()), admin.clone()]);
        assert_eq!(approved["status"], "approved");
        let token = approved["device"]["tokens"][role.as_str()]["token"].as_str().unwrap();
        assert!(is_in(&store, &wanted, token).await);
        assert_eq!(token_of(&store, other, role), token);
    }
    assert_eq!(neighbour.device("listDevicePairing", &[])["paired"].as_array().unwrap().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_what_one_takes_away_or_replaces_the_other_does_not_take() {
    let house = House::new();
    let (store, mut neighbour) = (devices(&house), house.openclaw.store());
    let wanted = ask(1, Role::Operator, &[READ]);
    let pair = async || {
        store.connect(wanted.clone(), Credential::Secret).await.unwrap();
        let request = store.view().devices.pending[0].id.clone();
        store.approve(request, Approver::Owner, owner()).await.unwrap();
        let Connected::In(admission) = store.connect(wanted.clone(), Credential::Secret).await.unwrap()
        else {
            panic!()
        };
        admission
    };
    let first = pair().await;
    let about = json!({ "deviceId": id(1), "role": "operator" });
    // Replaced by it, and by us.
    let its = neighbour
        .device("rotateDeviceToken", &[json!({ "deviceId": id(1), "role": "operator", "scopes": [READ] })]);
    let its = its["entry"]["token"].as_str().or_else(|| its["token"].as_str()).unwrap().to_owned();
    assert!(is_in(&store, &wanted, &its).await && !is_in(&store, &wanted, first.token.reveal()).await);
    let ours =
        store.rotate(key(1).device_id(), Role::Operator, None, Approver::Owner, owner()).await.unwrap();
    let ours = ours.token.reveal();
    assert!(
        it_takes(&mut neighbour, 1, ours, "operator", &[READ])
            && !it_takes(&mut neighbour, 1, &its, "operator", &[READ])
    );
    assert!(store.view().devices.stands(&first.session), "a new token ends no session");
    // Revoked by it, and by us.
    neighbour.device("revokeDeviceToken", &[about]);
    assert!(!is_in(&store, &wanted, ours).await && !store.view().devices.stands(&first.session));
    let second = pair().await;
    store.revoke(key(1).device_id(), Role::Operator, Approver::Owner, owner()).await.unwrap();
    assert!(!it_takes(&mut neighbour, 1, second.token.reveal(), "operator", &[READ]));
    // Removed by it, and by us.
    let third = pair().await;
    neighbour.device("removePairedDevice", &[json!(id(1))]);
    assert!(
        !is_in(&store, &wanted, third.token.reveal()).await && !store.view().devices.stands(&third.session)
    );
    let fourth = pair().await;
    store.remove(key(1).device_id(), Approver::Owner, owner()).await.unwrap();
    assert!(!it_takes(&mut neighbour, 1, fourth.token.reveal(), "operator", &[READ]));
}

/// What its requests gather over time is shown, and nothing of it is approved unseen; what it gave a token beyond that
/// is worth nothing here.
#[tokio::test(flavor = "multi_thread")]
async fn i17_a_request_that_it_made_of_several_is_shown_as_it_is() {
    let house = House::new();
    let (store, mut neighbour) = (devices(&house), house.openclaw.store());
    its_request(&mut neighbour, 1, "operator", &["operator.admin"]);
    its_request(&mut neighbour, 1, "node", &[]);
    let seen = store.view().devices.pending.clone();
    assert_eq!(
        (seen.len(), seen[0].role, seen[0].scopes.to_string().as_str()),
        (1, Role::Node, "operator.admin")
    );
    // The device asks us: what it asks now takes the place of all that.
    store.connect(ask(1, Role::Node, &[]), Credential::Secret).await.unwrap();
    let seen = store.view().devices.pending.clone();
    assert!(seen.len() == 1 && seen[0].scopes.is_empty() && seen[0].roles == [Role::Node]);
    store.approve(seen[0].id.clone(), Approver::Owner, owner()).await.unwrap();
    assert!(store.view().devices.paired[0].approved().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_codes_of_both_are_good_for_both() {
    let house = House::new();
    let (store, mut neighbour) = (devices(&house), house.openclaw.store());
    // By its command line.
    let printed =
        house.openclaw.cli(&["qr", "--url", "ws://10.0.0.5:18789", "--token", "secret", "--setup-code-only"]);
    let code = SetupCode::decode(&String::from_utf8(printed.stdout).unwrap()).unwrap();
    assert_eq!(code.url(), "ws://10.0.0.5:18789");
    let shown = Credential::Bootstrap(code.bootstrap_token().reveal().to_owned());
    for (device, serves) in [(1, true), (2, false), (1, true)] {
        let connected = store.connect(ask(device, Role::Node, &[]), shown.clone()).await.unwrap();
        assert_eq!(matches!(connected, Connected::Pairing { .. }), serves, "{connected:?}");
    }
    // It reads what we bound, and writes it back.
    neighbour.device("issueDeviceBootstrapToken", &[json!({})]);
    let kept = store.view().devices.bootstrap.clone();
    assert_eq!((kept.len(), kept[0].device_id), (2, Some(key(1).device_id())));
    // Ours, at its gateway.
    let ours = store.invite(owner()).await.unwrap();
    let shows = json!({ "token": ours.token.reveal(), "deviceId": id(3), "publicKey": key(3).to_string(), "role": "node", "scopes": [] });
    assert_eq!(neighbour.device("verifyDeviceBootstrapToken", &[shows])["ok"], true);
    let spent = Credential::Bootstrap(ours.token.reveal().to_owned());
    let connected = store.connect(ask(3, Role::Node, &[]), spent).await.unwrap();
    assert_eq!(connected, Connected::Refused(Refused::Bootstrap));
    assert_eq!(neighbour.device("clearDeviceBootstrapTokens", &[json!({})])["removed"], 2);
    assert!(store.view().devices.bootstrap.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn node_records_of_both_are_kept_by_both() {
    let house = House::new();
    let (store, mut neighbour) = (nodes(&house), house.openclaw.store());
    let asked = json!({ "nodeId": "n1", "displayName": "Ann", "platform": "ios", "version": "2", "caps": ["camera"],
        "commands": ["camera.snap"], "permissions": { "camera": true }, "silent": false });
    let its =
        neighbour.device("requestNodePairing", &[asked])["request"]["requestId"].as_str().unwrap().to_owned();
    let waits = store.load().await.unwrap().pending[0].clone();
    assert_eq!(
        (waits.id.as_str(), waits.ask.commands.as_deref().unwrap()),
        (its.as_str(), &["camera.snap".to_owned()][..])
    );
    let node = store.approve(waits.id, owner()).await.unwrap();
    let verify = |token: &str| [json!("n1"), json!(token)];
    let verified = neighbour.device("verifyNodeToken", &verify(node.token.reveal()));
    assert_eq!(verified["ok"], true);
    assert_eq!(
        (&verified["node"]["caps"], &verified["node"]["permissions"]),
        (&json!(["camera"]), &json!({ "camera": true }))
    );
    store.rename("n1".into(), "Bob".into(), owner()).await.unwrap();
    neighbour.device("renamePairedNode", &[json!("n1"), json!("Eve")]);
    let ours =
        store.request(NodeAsk { node_id: "n2".into(), ..NodeAsk::default() }).await.unwrap().unwrap().0;
    let listed = neighbour.device("listNodePairing", &[]);
    assert_eq!(listed["paired"][0]["displayName"], "Eve");
    assert_eq!(listed["pending"][0]["requestId"], ours.id.as_str());
    neighbour.device(
        "approveNodePairing",
        &[json!(ours.id.as_str()), json!({ "callerScopes": ["operator.admin"] })],
    );
    let known = store.load().await.unwrap();
    assert_eq!((known.paired.len(), known.pending.len()), (2, 0));
    let its = &known.paired.iter().find(|node| node.ask.node_id == "n2").unwrap().token;
    assert_eq!(neighbour.device("verifyNodeToken", &[json!("n2"), json!(its.reveal())])["ok"], true);
}

/// In turn, fifty devices: neither loses one of the other's, nor what somebody else keeps beside them.
#[tokio::test(flavor = "multi_thread")]
async fn i10_i13_fifty_devices_approved_in_turn_are_all_there() {
    let house = House::new();
    let (store, mut neighbour) = (devices(&house), house.openclaw.store());
    let path = house.state.path().join("devices/paired.json");
    let mut before = String::new();
    for device in 1..=50 {
        let wanted = ask(device, Role::Node, &[]);
        if device % 2 == 0 {
            before = std::fs::read_to_string(&path).unwrap();
            let request = its_request(&mut neighbour, device, "node", &[]);
            neighbour.device(
                "approveDevicePairing",
                &[request["requestId"].clone(), json!({ "callerScopes": [] })],
            );
        } else {
            store.connect(wanted.clone(), Credential::Secret).await.unwrap();
            let request = store.view().devices.pending[0].id.clone();
            store.approve(request, Approver::Owner, owner()).await.unwrap();
        }
        if device == 1 {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(
                &path,
                text.replacen("{\n", "{\n  \"x\": {\n    \"of\": 7\n  },\n", 1).replacen(
                    "\"role\"",
                    "\"note\": \"theirs\",\n    \"role\"",
                    1,
                ),
            )
            .unwrap();
        }
        assert_eq!(store.view().devices.paired.len(), usize::from(device));
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["x"]["of"], &document[id(1)]["note"]), (&json!(7), &json!("theirs")));
    // It writes it in the very form that we do.
    assert!(text.starts_with(before.trim_end_matches("\n}")), "the last one of ours, and its after it");
    for device in 1..=50 {
        let token = token_of(&store, device, Role::Node);
        assert!(is_in(&store, &ask(device, Role::Node, &[]), &token).await, "{device}");
    }
}
