//! Live sockets: what they may ask, what they are told, and how they end.

use dmgate::device::{ADMIN, Approver, DeviceRequestId, PAIRING, Role};
use serde_json::{Value, json};

use crate::house::{Client, Device, House, node, operator, owner};

const REMOVED: (u16, &str) = (4001, "device removed");

async fn assert_removed(mut client: Client) {
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason.as_str()), REMOVED);
}

fn token(hello: &Value) -> Value {
    json!({ "auth": { "token": null, "deviceToken": hello["auth"]["deviceToken"] } })
}

#[tokio::test]
async fn a_device_comes_back_with_its_own_token() {
    let house = House::open().await;
    let device = Device::new(1);
    let (client, hello) = house.paired(&device, &node()).await;
    drop(client);
    assert_eq!(hello["auth"]["scopes"], json!([]), "also a node without rights has a token");
    let (mut client, again) = house.connect(&device, &token(&hello)).await.unwrap();
    assert_eq!(again["auth"]["deviceToken"], hello["auth"]["deviceToken"]);
    // Programs that know one field only show it there.
    let in_place = json!({ "auth": { "token": hello["auth"]["deviceToken"] } });
    house.connect(&device, &in_place).await.unwrap();
    let stolen = house.connect(&Device::new(2), &token(&hello)).await.err().unwrap();
    assert_eq!(stolen.detail(), "AUTH_DEVICE_TOKEN_MISMATCH");
    assert_eq!(client.ask("health", json!({})).await.unwrap()["ok"], true);
    for method in ["device.pair.list", "node.pair.request", "exec", "node.invoke"] {
        assert_eq!(client.ask(method, json!({})).await.unwrap_err(), "unauthorized role: node");
    }
    // Who does not stop is sent away.
    for _ in 0..6 {
        client.ask("device.pair.list", json!({})).await.unwrap_err();
    }
    client.send(r#"{"type":"req","id":"3","method":"device.pair.list"}"#).await;
    assert_eq!(client.closed().await, (1008, "repeated unauthorized calls".to_owned()));
}

#[tokio::test]
async fn an_operator_decides_what_it_may() {
    let house = House::open().await;
    let (clerk, device) = (Device::new(1), Device::new(2));
    let (mut clerk, _) = house.paired(&clerk, &operator(&[PAIRING])).await;
    let admin = house.connect(&device, &operator(&[ADMIN])).await.err().unwrap();
    let event = clerk.event("device.pair.requested").await;
    assert_eq!((&event["requestId"], &event["scopes"]), (&json!(admin.request_id()), &json!([ADMIN])));
    let id = |id: &str| json!({ "requestId": id });
    let said = clerk.ask("device.pair.approve", id(admin.request_id())).await.unwrap_err();
    assert_eq!(said, "missing scope: operator.admin");
    let said = clerk.ask("device.pair.approve", id("x")).await.unwrap_err();
    assert_eq!(said, "unknown requestId");
    for bad in [json!({}), json!({ "requestId": 1 }), json!({ "requestId": "x", "more": 1 }), json!([])] {
        let said = clerk.ask("device.pair.approve", bad).await.unwrap_err();
        assert_eq!(said, "invalid device.pair.approve params");
    }
    let rejected = clerk.ask("device.pair.reject", id(admin.request_id())).await.unwrap();
    assert_eq!(rejected, json!({ "requestId": admin.request_id(), "deviceId": device.id().to_string() }));
    let resolved = clerk.event("device.pair.resolved").await;
    assert_eq!(
        (&resolved["requestId"], &resolved["decision"]),
        (&json!(admin.request_id()), &json!("rejected"))
    );

    let plain = house.connect(&device, &node()).await.err().unwrap();
    clerk.event("device.pair.requested").await;
    let listed = clerk.ask("device.pair.list", Value::Null).await.unwrap();
    assert_eq!(listed["pending"][0]["requestId"], plain.request_id());
    let approved = clerk.ask("device.pair.approve", id(plain.request_id())).await.unwrap();
    assert_eq!(approved["device"]["tokens"][0]["role"], "node");
    assert_eq!(clerk.event("device.pair.resolved").await["decision"], "approved");
    let (live, hello) = house.connect(&device, &node()).await.unwrap();

    // No listing shows a token.
    let listed = clerk.ask("device.pair.list", json!({})).await.unwrap();
    assert_eq!(
        (listed["pending"].as_array().unwrap().len(), listed["paired"].as_array().unwrap().len()),
        (0, 2)
    );
    for token in house.devices.view().devices.paired.iter().flat_map(|device| device.tokens.values()) {
        assert!(!listed.to_string().contains(token.token.reveal()), "{listed}");
    }
    let of = |role: &str| json!({ "deviceId": device.id().to_string(), "role": role });
    let rotated = clerk.ask("device.token.rotate", of("node")).await.unwrap();
    assert_ne!(rotated["token"], hello["auth"]["deviceToken"]);
    for bad in [of("operator"), of("x"), json!({ "deviceId": "x", "role": "node" })] {
        assert_eq!(clerk.ask("device.token.rotate", bad).await.unwrap_err(), "device token rotation denied");
    }
    assert_eq!(clerk.ask("device.token.revoke", of("operator")).await.unwrap_err(), "unknown deviceId/role");
    let revoked = clerk.ask("device.token.revoke", of("node")).await.unwrap();
    assert!(revoked["revokedAtMs"].as_i64().unwrap() > 0);
    assert_removed(live).await;
    let removed =
        clerk.ask("device.pair.remove", json!({ "deviceId": device.id().to_string() })).await.unwrap();
    assert_eq!(removed, json!({ "deviceId": device.id().to_string() }));
    let said = clerk.ask("device.pair.remove", json!({ "deviceId": device.id().to_string() })).await;
    assert_eq!(said.unwrap_err(), "unknown deviceId");
}

#[tokio::test]
async fn i17_who_may_not_decide_does_not() {
    let house = House::open().await;
    let (mut reader, _) = house.paired(&Device::new(1), &operator(&["operator.read"])).await;
    for method in
        ["device.pair.list", "device.pair.approve", "device.token.rotate", "node.pair.list", "node.rename"]
    {
        assert_eq!(
            reader.ask(method, json!({})).await.unwrap_err(),
            "missing scope: operator.pairing",
            "{method}"
        );
    }
    assert_eq!(
        reader.ask("node.pair.approve", json!({})).await.unwrap_err(),
        "missing scope: operator.write"
    );
    assert_eq!(reader.ask("config.set", json!({})).await.unwrap_err(), "missing scope: operator.admin");
    let (mut admin, _) = house.paired(&Device::new(2), &operator(&[ADMIN])).await;
    assert_eq!(admin.ask("config.set", json!({})).await.unwrap_err(), "unknown method: config.set");
    // Only who may decide is told who asks: the reader's next event is another one.
    house.connect(&Device::new(3), &node()).await.err().unwrap();
    admin.event("device.pair.requested").await;
    assert_eq!(reader.ask("health", json!({})).await.unwrap()["ok"], true);
}

#[tokio::test]
async fn i17_revoking_ends_the_live_session_whoever_does_it() {
    let house = House::open().await;
    let device = Device::new(1);
    let other = house.other_process();
    let (client, _) = house.paired(&device, &node()).await;
    let (mut operator, _) = house.paired(&device, &operator(&[PAIRING])).await;
    other.revoke(device.id(), Role::Node, Approver::Owner, owner()).await.unwrap();
    assert_removed(client).await;
    assert_eq!(operator.ask("health", json!({})).await.unwrap()["ok"], true, "its other role stands");
    other.remove(device.id(), Approver::Owner, owner()).await.unwrap();
    assert_removed(operator).await;

    // Nor does anybody stand whom nobody can look up.
    let (client, _) = house.paired(&device, &node()).await;
    let paired = house.dir.path().join("devices/paired.json");
    let good = std::fs::read(&paired).unwrap();
    std::fs::write(&paired, &good[..good.len() - 20]).unwrap();
    assert_removed(client).await;
    let refused = house.connect(&device, &node()).await.err().unwrap();
    assert_eq!((refused.code(), refused.close.0), ("UNAVAILABLE", 1013));
    std::fs::write(&paired, &good).unwrap();
    house.connect(&device, &node()).await.unwrap();
}

#[tokio::test]
async fn operators_are_told_what_other_processes_do() {
    let house = House::open().await;
    let (mut clerk, _) = house.paired(&Device::new(1), &operator(&[PAIRING])).await;
    let asked = house.connect(&Device::new(2), &node()).await.err().unwrap();
    clerk.event("device.pair.requested").await;
    let id = DeviceRequestId::typed(asked.request_id());
    house.other_process().approve(id, Approver::Owner, owner()).await.unwrap();
    let resolved = clerk.event("device.pair.resolved").await;
    assert_eq!(
        (&resolved["requestId"], &resolved["decision"]),
        (&json!(asked.request_id()), &json!("approved"))
    );
    let asks = json!({ "nodeId": "n1", "displayName": "attic", "commands": ["system.run"], "silent": true });
    let asked = clerk.ask("node.pair.request", asks.clone()).await.unwrap();
    assert_eq!((&asked["status"], &asked["created"]), (&json!("pending"), &json!(true)));
    assert_eq!(clerk.event("node.pair.requested").await["requestId"], asked["request"]["requestId"]);
    assert_eq!(clerk.ask("node.pair.request", asks).await.unwrap()["created"], false);
}

#[tokio::test]
async fn records_of_nodes_are_kept() {
    let house = House::open().await;
    let (mut clerk, _) = house.paired(&Device::new(1), &operator(&[PAIRING, "operator.write"])).await;
    let (mut admin, _) = house.paired(&Device::new(2), &operator(&[ADMIN])).await;
    let asks = json!({ "nodeId": "n1", "displayName": "attic", "commands": ["system.run"] });
    let asked = clerk.ask("node.pair.request", asks).await.unwrap();
    let id = json!({ "requestId": asked["request"]["requestId"] });
    let said = clerk.ask("node.pair.approve", id.clone()).await.unwrap_err();
    assert_eq!(said, "missing scope: operator.admin", "it would run programs");
    let approved = admin.ask("node.pair.approve", id.clone()).await.unwrap();
    assert_eq!(clerk.event("node.pair.resolved").await["decision"], "approved");
    let token = approved["node"]["token"].as_str().unwrap();
    let verify = |token: &str| json!({ "nodeId": "n1", "token": token });
    assert_eq!(clerk.ask("node.pair.verify", verify(token)).await.unwrap()["node"]["displayName"], "attic");
    assert_eq!(clerk.ask("node.pair.verify", verify("x")).await.unwrap(), json!({ "ok": false }));
    let renamed =
        clerk.ask("node.rename", json!({ "nodeId": "n1", "displayName": " cellar " })).await.unwrap();
    assert_eq!(renamed, json!({ "nodeId": "n1", "displayName": "cellar" }));
    let said = clerk.ask("node.rename", json!({ "nodeId": "n2", "displayName": "x" })).await.unwrap_err();
    assert_eq!(said, "unknown nodeId");
    let listed = clerk.ask("node.pair.list", json!({})).await.unwrap();
    assert_eq!(listed["paired"][0]["displayName"], "cellar");
    assert!(!listed.to_string().contains(token), "{listed}");
    let asked = clerk.ask("node.pair.request", json!({ "nodeId": "n2" })).await.unwrap();
    let id = json!({ "requestId": asked["request"]["requestId"] });
    assert_eq!(clerk.ask("node.pair.reject", id).await.unwrap()["nodeId"], "n2");
    assert_eq!(clerk.event("node.pair.requested").await["nodeId"], "n2");
    assert_eq!(clerk.event("node.pair.resolved").await["decision"], "rejected");
}

#[tokio::test]
async fn nodes_are_listed_with_who_is_connected() {
    let house = House::open().await;
    let (mut reader, _) = house.paired(&Device::new(1), &operator(&["operator.read"])).await;
    let device = Device::new(2);
    let wish = json!({ "caps": ["camera"], "commands": ["camera.snap"] });
    let (client, _) = house.paired(&device, &wish).await;
    let nodes = reader.ask("node.list", json!({})).await.unwrap()["nodes"].clone();
    let node = &nodes[0];
    assert_eq!(nodes.as_array().unwrap().len(), 1);
    assert_eq!(
        (&node["connected"], &node["caps"], &node["commands"]),
        (&json!(true), &json!(["camera"]), &json!(["camera.snap"]))
    );
    let id = json!({ "nodeId": device.id().to_string() });
    assert_eq!(reader.ask("node.describe", id.clone()).await.unwrap()["displayName"], "probe");
    drop(client);
    while reader.ask("node.describe", id.clone()).await.unwrap()["connected"] == true {}
    assert_eq!(reader.ask("node.describe", json!({ "nodeId": "x" })).await.unwrap_err(), "unknown nodeId");
}

#[tokio::test]
async fn everybody_is_told_when_the_gateway_ends() {
    let house = House::open().await;
    let (mut client, _) = house.paired(&Device::new(1), &node()).await;
    let mut stranger = house.dial().await;
    tokio::join!(
        house.end(),
        async { assert_eq!(client.closed().await, (1012, "service restart".to_owned())) },
        async { assert_eq!(stranger.closed().await, (1012, "service restart".to_owned())) },
    );
}
