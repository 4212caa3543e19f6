//! What is shown of devices and nodes: everything but their tokens. What other programs keep in the files is not shown
//! either, since it may be a secret.

use dmgate::device::{
    Description, Device, DeviceRequest, Grant, NodeAsk, NodeRequest, PairedNode, Scope, Scopes,
};
use serde_json::{Map, Value, json};

/// A request of a device.
pub(crate) fn request(request: &DeviceRequest) -> Value {
    let mut shown = described(&request.description);
    put(&mut shown, "requestId", request.id.as_str());
    put(&mut shown, "deviceId", request.device_id.to_string());
    put(&mut shown, "publicKey", request.public_key.to_string());
    put(&mut shown, "role", request.role.as_str());
    put(&mut shown, "roles", json!([request.role.as_str()]));
    if !request.scopes.is_empty() {
        put(&mut shown, "scopes", scopes(&request.scopes));
    }
    put_some(&mut shown, "remoteIp", request.remote_ip.as_deref());
    put(&mut shown, "silent", request.silent);
    put(&mut shown, "isRepair", request.is_repair);
    put(&mut shown, "ts", request.asked_at.as_millis());
    shown.into()
}

/// A device.
pub(crate) fn device(device: &Device) -> Value {
    let mut shown = described(&device.description);
    put(&mut shown, "deviceId", device.device_id.to_string());
    put(&mut shown, "publicKey", device.public_key.to_string());
    put(&mut shown, "role", device.role.as_str());
    put(&mut shown, "roles", device.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>());
    put(&mut shown, "scopes", scopes(&device.approved()));
    put_some(&mut shown, "remoteIp", device.remote_ip.as_deref());
    put(&mut shown, "tokens", device.tokens.values().map(grant).collect::<Vec<_>>());
    put(&mut shown, "createdAtMs", device.created_at.as_millis());
    put(&mut shown, "approvedAtMs", device.approved_at.as_millis());
    shown.into()
}

/// What a device has in a role, without the token.
fn grant(grant: &Grant) -> Value {
    let mut shown = Map::new();
    put(&mut shown, "role", grant.role.as_str());
    put(&mut shown, "scopes", scopes(&grant.scopes));
    put(&mut shown, "createdAtMs", grant.created_at.as_millis());
    let times = [
        ("rotatedAtMs", grant.rotated_at),
        ("revokedAtMs", grant.revoked_at),
        ("lastUsedAtMs", grant.last_used_at),
    ];
    for (name, at) in times {
        put_some(&mut shown, name, at.map(dmgate::Timestamp::as_millis));
    }
    shown.into()
}

/// A request of a node.
pub(crate) fn node_request(request: &NodeRequest) -> Value {
    let mut shown = asked(&request.ask);
    put(&mut shown, "requestId", request.id.as_str());
    put(&mut shown, "isRepair", request.is_repair);
    put(&mut shown, "ts", request.asked_at.as_millis());
    shown.into()
}

/// The record of a node.
pub(crate) fn node(node: &PairedNode) -> Map<String, Value> {
    let mut shown = asked(&node.ask);
    put(&mut shown, "createdAtMs", node.created_at.as_millis());
    put(&mut shown, "approvedAtMs", node.approved_at.as_millis());
    shown
}

pub(crate) fn scopes(scopes: &Scopes) -> Value {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().into()
}

pub(crate) fn put(shown: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    shown.insert(name.to_owned(), value.into());
}

pub(crate) fn put_some(shown: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(shown, name, value);
    }
}

/// What a node may say beside what has a field of its own.
pub(crate) const NODE_FACTS: [&str; 7] =
    ["version", "coreVersion", "uiVersion", "deviceFamily", "modelIdentifier", "caps", "permissions"];

fn asked(ask: &NodeAsk) -> Map<String, Value> {
    let known = ask.extra.iter().filter(|(name, _)| NODE_FACTS.contains(&name.as_str()));
    let mut shown: Map<String, Value> = known.map(|(name, value)| (name.clone(), value.clone())).collect();
    put(&mut shown, "nodeId", ask.node_id.as_str());
    put_some(&mut shown, "displayName", ask.display_name.as_deref());
    put_some(&mut shown, "platform", ask.platform.as_deref());
    put_some(&mut shown, "commands", ask.commands.clone());
    put_some(&mut shown, "remoteIp", ask.remote_ip.as_deref());
    shown
}

fn described(description: &Description) -> Map<String, Value> {
    let Description { display_name, platform, device_family, client_id, client_mode } = description;
    let mut shown = Map::new();
    for (name, value) in [
        ("displayName", display_name),
        ("platform", platform),
        ("deviceFamily", device_family),
        ("clientId", client_id),
        ("clientMode", client_mode),
    ] {
        put_some(&mut shown, name, value.as_deref());
    }
    shown
}
