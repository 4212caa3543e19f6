//! Connections of clients to the established gateway, said again to ours: the recorded signatures are good here, and the
//! verdicts are the same but where we chose others.
//!
//! They are not part of the repository: `DMGATE_EXTRA_PAYLOADS` names a folder beside them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dmgate::{Clock, Entropy, NoEntropy, OsEntropy, Timestamp, Uptime, World};
use serde_json::{Value, json};

use crate::house::{House, Plan};

/// The time of the record, and its nonces.
#[derive(Clone, Default)]
struct Then(Arc<Mutex<(i64, VecDeque<[u8; 16]>)>>);

impl Clock for Then {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.lock().unwrap().0)
    }

    fn uptime(&self) -> Option<Uptime> {
        None
    }

    fn ticks(&self) -> u64 {
        dmgate::SystemClock.ticks()
    }

    fn pause(&self, duration: std::time::Duration) {
        dmgate::SystemClock.pause(duration);
    }
}

impl Entropy for Then {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        match self.0.lock().unwrap().1.pop_front() {
            Some(nonce) => buffer.copy_from_slice(&nonce),
            None => return OsEntropy.fill(buffer),
        }
        Ok(())
    }
}

/// The node as the owner of the record approved it.
fn paired(connect: &Value, hello: &Value) -> String {
    let (device, auth) = (&connect["device"], &hello["auth"]);
    let at = auth["issuedAtMs"].clone();
    let token =
        json!({ "token": auth["deviceToken"], "role": "node", "scopes": auth["scopes"], "createdAtMs": at });
    let id = device["id"].as_str().unwrap();
    json!({ id: {
        "deviceId": id, "publicKey": device["publicKey"], "platform": "linux", "role": "node", "roles": ["node", "operator"],
        "scopes": ["operator.read"], "approvedScopes": ["operator.read"], "tokens": { "node": token },
        "createdAtMs": at, "approvedAtMs": at,
    } })
    .to_string()
}

#[tokio::test]
async fn recorded_connections_end_as_they_did() {
    let Some(folder) = std::env::var_os("DMGATE_EXTRA_PAYLOADS") else { return };
    let path = Path::new(&folder).join("../../spec/device-connect-transcripts.json");
    let record: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let connections = record["connections"].as_array().unwrap();
    let frame = |connection: &Value, at: usize| connection["frames"][at]["frame"].clone();
    let approved_from = connections.iter().position(|one| frame(one, 2)["ok"] == true).unwrap();
    let approved = &connections[approved_from];
    let then = Then::default();
    let world = World { clock: Arc::new(then.clone()), entropy: Arc::new(then.clone()) };
    let plan = |paired| Plan {
        world: world.clone(),
        token: Some("scratch-token-not-secret"),
        paired,
        ..Plan::default()
    };
    let mut house = House::built(plan(None)).await;
    let mut ids = Vec::new();
    for (at, connection) in connections.iter().enumerate() {
        let name = connection["connect"].as_str().unwrap();
        let challenge = frame(connection, 0);
        let nonce = challenge["payload"]["nonce"].as_str().unwrap().to_owned();
        if at == approved_from {
            house = House::built(plan(Some(paired(
                &frame(approved, 1)["params"],
                &frame(approved, 2)["payload"],
            ))))
            .await;
        }
        let bytes: u128 = u128::from_str_radix(&nonce.replace('-', ""), 16).unwrap();
        *then.0.lock().unwrap() =
            (challenge["payload"]["ts"].as_i64().unwrap(), [bytes.to_be_bytes()].into());
        let mut client = house.dial().await;
        assert_eq!(client.nonce, nonce, "{name}");
        client.send(&frame(connection, 1).to_string()).await;
        let wanted = frame(connection, 2);
        match client.answer().await {
            Ok(hello) => {
                assert_eq!(wanted["ok"], true, "{name}");
                assert_eq!(
                    (&hello["auth"], &hello["protocol"]),
                    (&wanted["payload"]["auth"], &json!(3)),
                    "{name}"
                );
            }
            Err(refused) => {
                let mut said = refused.error.clone();
                let mut wanted_error = wanted["error"].clone();
                if said["details"]["requestId"].is_string() {
                    ids.push((
                        said["details"]["requestId"].take(),
                        wanted_error["details"]["requestId"].take(),
                    ));
                }
                let close = connection["frames"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|frame| frame["dir"] == "close")
                    .unwrap();
                assert_eq!(refused.close.0, close["code"], "{name}");
                if name == "unknown client id" {
                    // Chosen: what is wrong is said in our words.
                    said["message"] = wanted_error["message"].clone();
                }
                assert_eq!(said, wanted_error, "{name}");
            }
        }
    }
    // The same request has the same id, another one another.
    assert_eq!(ids.len(), 3);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        assert_eq!(ids[one].0 == ids[other].0, ids[one].1 == ids[other].1);
    }
}
