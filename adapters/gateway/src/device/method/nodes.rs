//! `node.*`: who is connected as a node, and the older records of what a node may offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use dmgate::device::{ADMIN, Device, DeviceError, DeviceRequestId, NodeAsk, PairedNode, Role};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Gate;
use super::super::frame::Failure;
use super::super::listing::{self, put, put_some};
use super::super::live::{Facts, Who};
use super::{actor, failed, missing, params};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfRequest {
    request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfNode {
    node_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verify {
    node_id: String,
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rename {
    node_id: String,
    display_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ask {
    node_id: String,
    display_name: Option<String>,
    platform: Option<String>,
    version: Option<String>,
    core_version: Option<String>,
    ui_version: Option<String>,
    device_family: Option<String>,
    model_identifier: Option<String>,
    caps: Option<Vec<String>>,
    commands: Option<Vec<String>>,
    permissions: Option<BTreeMap<String, bool>>,
    remote_ip: Option<String>,
    /// It always is told.
    #[serde(rename = "silent")]
    _silent: Option<bool>,
}

/// Commands that run programs: to approve a node that offers one is for the highest right.
const RUNNING: [&str; 3] = ["system.run", "system.run.prepare", "system.which"];

impl Gate {
    pub(super) async fn list_nodes(&self, given: Value) -> Result<Value, Failure> {
        let Nothing {} = params("node.list", given)?;
        let mut nodes = self.nodes_now().await;
        let key = |node: &Map<String, Value>| {
            let is_away = node.get("connected") != Some(&Value::Bool(true));
            (is_away, text(node, "displayName").to_lowercase(), text(node, "nodeId").to_owned())
        };
        nodes.sort_by_cached_key(key);
        Ok(json!({ "ts": self.world.clock.now().as_millis(), "nodes": nodes }))
    }

    pub(super) async fn describe_node(&self, given: Value) -> Result<Value, Failure> {
        let OfNode { node_id } = params("node.describe", given)?;
        let mut nodes = self.nodes_now().await.into_iter();
        let is_it = |node: &Map<String, Value>| text(node, "nodeId") == node_id.trim();
        let mut node = nodes.find(is_it).ok_or_else(unknown)?;
        put(&mut node, "ts", self.world.clock.now().as_millis());
        Ok(node.into())
    }

    pub(super) async fn request_node(&self, given: Value) -> Result<Value, Failure> {
        let asked: Ask = params("node.pair.request", given)?;
        let ask = asked.cut().ok_or_else(|| Failure::invalid("nodeId required"))?;
        let requested = self.nodes.request(ask).await.map_err(|error| failed(&error.into()))?;
        let (request, created) =
            requested.ok_or_else(|| Failure::unavailable("too many nodes wait; try again later"))?;
        Ok(json!({ "status": "pending", "request": listing::node_request(&request), "created": created }))
    }

    pub(super) async fn list_node_records(&self, given: Value) -> Result<Value, Failure> {
        let Nothing {} = params("node.pair.list", given)?;
        let nodes = self.nodes.load().await.map_err(|error| failed(&error.into()))?;
        let pending: Vec<Value> = nodes.pending.iter().rev().map(listing::node_request).collect();
        let paired: Vec<Value> = nodes.paired.iter().rev().map(|node| listing::node(node).into()).collect();
        Ok(json!({ "pending": pending, "paired": paired }))
    }

    pub(super) async fn approve_node(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfRequest { request_id } = params("node.pair.approve", given)?;
        let id = DeviceRequestId::typed(&request_id);
        let nodes = self.nodes.load().await.map_err(|error| failed(&error.into()))?;
        // What is asked under an id never changes.
        let request = nodes.pending.iter().find(|request| request.id == id);
        let request = request.ok_or_else(|| failed(&DeviceError::UnknownRequest))?;
        let commands = request.ask.commands.as_deref().unwrap_or_default();
        let runs = commands.iter().any(|command| RUNNING.contains(&command.trim()));
        if runs && !who.scopes().allow(ADMIN) {
            return Err(missing(ADMIN));
        }
        let node = self.nodes.approve(id.clone(), actor(who)).await.map_err(|error| failed(&error))?;
        Ok(json!({ "requestId": id.as_str(), "node": with_token(&node) }))
    }

    pub(super) async fn reject_node(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfRequest { request_id } = params("node.pair.reject", given)?;
        let id = DeviceRequestId::typed(&request_id);
        let rejected = self.nodes.reject(id, actor(who)).await.map_err(|error| failed(&error))?;
        Ok(json!({ "requestId": rejected.id.as_str(), "nodeId": rejected.ask.node_id }))
    }

    pub(super) async fn verify_node(&self, given: Value) -> Result<Value, Failure> {
        let Verify { node_id, token } = params("node.pair.verify", given)?;
        let nodes = self.nodes.load().await.map_err(|error| failed(&error.into()))?;
        Ok(match nodes.verify(node_id.trim(), &token) {
            Some(node) => json!({ "ok": true, "node": listing::node(node) }),
            None => json!({ "ok": false }),
        })
    }

    pub(super) async fn rename_node(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let Rename { node_id, display_name } = params("node.rename", given)?;
        if display_name.trim().is_empty() {
            return Err(Failure::invalid("displayName required"));
        }
        let renamed = self.nodes.rename(node_id.trim().to_owned(), display_name, actor(who)).await;
        let renamed = renamed.map_err(|error| match error {
            DeviceError::UnknownDevice => unknown(),
            other => failed(&other),
        })?;
        Ok(json!({ "nodeId": renamed.ask.node_id, "displayName": renamed.ask.display_name }))
    }

    /// The nodes that are paired, and what those that are connected say.
    async fn nodes_now(&self) -> Vec<Map<String, Value>> {
        let (_, view) = self.look().await;
        let records = self.nodes.load().await.map(|nodes| nodes.paired).unwrap_or_default();
        let connected = self.live.connected();
        let paired = view.devices.paired.iter().filter(|device| device.may_be(Role::Node));
        paired
            .map(|device| {
                let is_it = |session: &dmgate::device::Session| {
                    session.device == device.device_id && session.role == Role::Node
                };
                let live = connected.iter().rev().find(|(session, _)| is_it(session)).map(|(_, facts)| facts);
                let record = records.iter().find(|node| node.ask.node_id == device.device_id.to_string());
                shown(device, live, record)
            })
            .collect()
    }
}

fn shown(device: &Device, live: Option<&Arc<Facts>>, record: Option<&PairedNode>) -> Map<String, Value> {
    let mut node = Map::new();
    let facts = live.map(AsRef::as_ref);
    let name = record.and_then(|node| node.ask.display_name.clone());
    let description = &device.description;
    put(&mut node, "nodeId", device.device_id.to_string());
    put_some(&mut node, "displayName", name.or_else(|| description.display_name.clone()));
    put_some(&mut node, "platform", description.platform.clone());
    put_some(&mut node, "deviceFamily", description.device_family.clone());
    put_some(&mut node, "remoteIp", facts.map_or(device.remote_ip.clone(), |facts| facts.remote_ip.clone()));
    put(&mut node, "caps", facts.map(|facts| facts.caps.clone()).unwrap_or_default());
    // A record says which commands a node may offer.
    let may = record.map(|node| node.ask.commands.clone().unwrap_or_default());
    let offered = facts.map(|facts| facts.commands.clone()).unwrap_or_default().into_iter();
    let offered: Vec<String> =
        offered.filter(|command| may.as_ref().is_none_or(|may| may.contains(command))).collect();
    put(&mut node, "commands", offered);
    if let Some(facts) = facts {
        put_some(&mut node, "version", facts.version.clone());
        put_some(&mut node, "modelIdentifier", facts.model_identifier.clone());
        put(&mut node, "permissions", json!(facts.permissions));
        put(&mut node, "connectedAtMs", facts.connected_at.as_millis());
    }
    put(&mut node, "paired", true);
    put(&mut node, "connected", facts.is_some());
    node
}

fn text<'a>(node: &'a Map<String, Value>, name: &str) -> &'a str {
    node.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The only time that the token is shown: to who approved the node, and has to hand it on.
fn with_token(node: &PairedNode) -> Value {
    let mut shown = listing::node(node);
    put(&mut shown, "token", node.token.reveal());
    shown.into()
}

fn unknown() -> Failure {
    Failure::invalid("unknown nodeId")
}

impl Ask {
    /// Each text cut to what is kept; `None` without an id.
    fn cut(self) -> Option<NodeAsk> {
        let one = |text: String| text.trim().chars().take(128).collect::<String>();
        let some = |text: Option<String>| text.map(one).filter(|text| !text.is_empty());
        let list = |texts: Option<Vec<String>>| {
            texts.map(|texts| texts.into_iter().take(64).map(one).collect::<Vec<_>>())
        };
        let mut extra = Map::new();
        for (name, text) in [
            ("version", self.version),
            ("coreVersion", self.core_version),
            ("uiVersion", self.ui_version),
            ("deviceFamily", self.device_family),
            ("modelIdentifier", self.model_identifier),
        ] {
            put_some(&mut extra, name, some(text));
        }
        put_some(&mut extra, "caps", list(self.caps));
        let permissions =
            self.permissions.map(|all| all.into_iter().take(64).map(|(name, is)| (one(name), is)));
        put_some(&mut extra, "permissions", permissions.map(|all| json!(all.collect::<BTreeMap<_, _>>())));
        let (display_name, platform, commands) =
            (some(self.display_name), some(self.platform), list(self.commands));
        let node_id = some(Some(self.node_id))?;
        Some(NodeAsk { node_id, display_name, platform, commands, remote_ip: some(self.remote_ip), extra })
    }
}
