//! What is told of devices and nodes: everything but what lets somebody in.

use serde::Serialize;
use serde_json::{Value, json};

use super::Devices;
use super::node::{Nodes, PairedNode};
use super::paired::Device;
use crate::clock::Timestamp;

impl Devices {
    /// Who waits and who is in, the latest first: `{"pending": […], "paired": […]}`, without tokens.
    #[must_use]
    pub fn told(&self, now: Timestamp) -> Value {
        let mut pending = self.waiting(now);
        pending.reverse();
        let mut paired: Vec<&Device> = self.paired.iter().collect();
        paired.sort_by_key(|device| std::cmp::Reverse(device.approved_at));
        let paired: Vec<Value> = paired.into_iter().map(Device::told).collect();
        without_secrets(json!({ "pending": pending, "paired": paired }))
    }
}

impl Device {
    /// The device as its record says, but of each token only what it may do, and since when.
    #[must_use]
    pub fn told(&self) -> Value {
        let mut told = value(self);
        if let Value::Object(members) = &mut told {
            members.remove("approvedScopes");
            members.insert("tokens".to_owned(), value(&self.tokens.values().collect::<Vec<_>>()));
        }
        without_secrets(told)
    }
}

impl Nodes {
    /// Who waits and who was approved, the latest first, without tokens.
    #[must_use]
    pub fn told(&self, now: Timestamp) -> Value {
        let mut nodes = self.clone();
        nodes.upkeep(now);
        nodes.pending.sort_by_key(|request| std::cmp::Reverse(request.asked_at));
        nodes.paired.sort_by_key(|node| std::cmp::Reverse(node.approved_at));
        without_secrets(json!({ "pending": nodes.pending, "paired": nodes.paired }))
    }
}

impl PairedNode {
    /// The node as its record says, without its token.
    #[must_use]
    pub fn told(&self) -> Value {
        without_secrets(value(self))
    }
}

/// The same without the members that are called tokens, secrets or passwords, however deep: later programs may keep more
/// of them than we know.
#[must_use]
pub fn without_secrets(told: Value) -> Value {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["token", "secret", "password", "privatekey", "privatekeypem"].iter().any(|end| name.ends_with(end))
    };
    match told {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| !is_secret(name));
            Value::Object(kept.map(|(name, value)| (name, without_secrets(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_secrets).collect()),
        other => other,
    }
}

fn value(of: &impl Serialize) -> Value {
    // A record is an object of texts, numbers and lists, which can't fail to be written.
    serde_json::to_value(of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as another program may have written it, with more secrets than we know.
    fn device() -> Device {
        let key = super::super::PublicKey::from_bytes([1; 32]);
        serde_json::from_value(json!({
            "deviceId": key.device_id().to_string(), "publicKey": key.to_string(), "role": "node",
            "roles": ["node"], "scopes": [], "approvedScopes": [], "createdAtMs": 1, "approvedAtMs": 2,
            "tokens": {
                "operator": { "token": "hush-1", "role": "operator", "scopes": ["operator.read"], "createdAtMs": 1 },
                "node": { "token": "hush-2", "role": "node", "createdAtMs": 1, "revokedAtMs": 3, "apnsToken": "hush-3" },
            },
            "later": [{ "refreshToken": "hush-4", "kept": true }],
        }))
        .unwrap()
    }

    #[test]
    fn i17_no_token_is_told() {
        let devices = Devices { paired: vec![device()], ..Devices::default() };
        let told = devices.told(Timestamp::from_millis(5));
        assert!(!told.to_string().contains("hush"), "{told}");
        assert_eq!(
            told["paired"][0]["tokens"],
            json!([
                { "role": "operator", "scopes": ["operator.read"], "createdAtMs": 1 },
                { "role": "node", "scopes": [], "createdAtMs": 1, "revokedAtMs": 3 },
            ])
        );
        assert_eq!(told["paired"][0]["later"], json!([{ "kept": true }]));
        assert_eq!((told["pending"].clone(), told["paired"][0].get("approvedScopes")), (json!([]), None));
        let node: PairedNode = serde_json::from_value(
            json!({ "nodeId": "n", "token": "hush", "createdAtMs": 1, "approvedAtMs": 1, "caps": ["x"] }),
        )
        .unwrap();
        assert_eq!(node.told()["caps"], json!(["x"]));
        assert!(!node.told().to_string().contains("hush"));
        let nodes = Nodes { paired: vec![node], ..Nodes::default() };
        assert!(!nodes.told(Timestamp::from_millis(5)).to_string().contains("hush"));
    }
}
