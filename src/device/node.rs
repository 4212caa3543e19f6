//! The records of nodes in `nodes/*.json`: which commands a node may offer. An older way of pairing, which lets nobody in;
//! programs of that time still ask for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::owner::DeviceError;
use super::request::{DeviceRequestId, REQUEST_TTL};
use super::token::Token;
use crate::clock::{Entropy, NoEntropy, Timestamp, millis};

/// Everything durable about nodes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Nodes {
    /// Who waits.
    pub pending: Vec<NodeRequest>,
    /// Who was approved.
    pub paired: Vec<PairedNode>,
}

/// What a node says about itself and what it offers.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeAsk {
    /// Its own id.
    pub node_id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The commands that it offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<String>>,
    /// The address that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// What else it says: versions, family, capabilities, permissions.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A request of `nodes/pending.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRequest {
    /// Its id.
    #[serde(rename = "requestId")]
    pub id: DeviceRequestId,
    /// Whether the node was approved before.
    #[serde(default)]
    pub is_repair: bool,
    /// When it was made.
    #[serde(rename = "ts", with = "millis")]
    pub asked_at: Timestamp,
    /// What is asked.
    #[serde(flatten)]
    pub ask: NodeAsk,
}

/// A node of `nodes/paired.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedNode {
    /// What [`Nodes::verify`] asks for.
    pub token: Token,
    /// When it was first approved.
    #[serde(rename = "createdAtMs", with = "millis")]
    pub created_at: Timestamp,
    /// When it was last approved.
    #[serde(rename = "approvedAtMs", with = "millis")]
    pub approved_at: Timestamp,
    /// What was asked.
    #[serde(flatten)]
    pub ask: NodeAsk,
}

/// The most requests that wait at once.
const MOST: usize = 32;

/// What a record says beside what was asked: nobody says it for us.
const OURS: [&str; 6] = ["requestId", "isRepair", "ts", "token", "createdAtMs", "approvedAtMs"];

/// How long a node request waits.
const TTL: Duration = REQUEST_TTL;

impl Nodes {
    /// What expired goes.
    pub fn upkeep(&mut self, now: Timestamp) {
        self.pending.retain(|request| request.asked_at.age_at(now) < TTL);
        for request in self.pending.iter_mut().filter(|request| request.asked_at > now) {
            request.asked_at = now;
        }
    }

    /// A node asks. One that waits already is answered with what waits; says whether this is new. `None` where too many
    /// wait.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn request(
        &mut self,
        mut ask: NodeAsk,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Option<(NodeRequest, bool)>, NoEntropy> {
        self.upkeep(now);
        ask.extra.retain(|name, _| !OURS.contains(&name.as_str()));
        if let Some(waiting) = self.pending.iter().find(|request| request.ask.node_id == ask.node_id) {
            return Ok(Some((waiting.clone(), false)));
        }
        if self.pending.len() >= MOST {
            return Ok(None);
        }
        let is_repair = self.paired.iter().any(|node| node.ask.node_id == ask.node_id);
        let request = NodeRequest { id: DeviceRequestId::draw(entropy)?, is_repair, asked_at: now, ask };
        self.pending.push(request.clone());
        Ok(Some((request, true)))
    }

    /// A request is approved.
    ///
    /// # Errors
    /// [`DeviceError::UnknownRequest`]; [`DeviceError::Store`] without randomness.
    pub fn approve(
        &mut self,
        id: &DeviceRequestId,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<PairedNode, DeviceError> {
        self.upkeep(now);
        let at = self.pending.iter().position(|request| request.id == *id);
        let at = at.ok_or(DeviceError::UnknownRequest)?;
        let token = Token::draw(entropy)?;
        let ask = self.pending.remove(at).ask;
        let before = self.paired.iter().find(|node| node.ask.node_id == ask.node_id);
        let created_at = before.map_or(now, |node| node.created_at);
        let node = PairedNode { token, created_at, approved_at: now, ask };
        match self.paired.iter_mut().find(|other| other.ask.node_id == node.ask.node_id) {
            Some(other) => other.clone_from(&node),
            None => self.paired.push(node.clone()),
        }
        Ok(node)
    }

    /// A request is rejected.
    ///
    /// # Errors
    /// [`DeviceError::UnknownRequest`].
    pub fn reject(&mut self, id: &DeviceRequestId, now: Timestamp) -> Result<NodeRequest, DeviceError> {
        self.upkeep(now);
        let at = self.pending.iter().position(|request| request.id == *id);
        Ok(self.pending.remove(at.ok_or(DeviceError::UnknownRequest)?))
    }

    /// A node gets another name.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`].
    pub fn rename(&mut self, node_id: &str, name: &str) -> Result<PairedNode, DeviceError> {
        let found = self.paired.iter_mut().find(|node| node.ask.node_id == node_id);
        let node = found.ok_or(DeviceError::UnknownDevice)?;
        node.ask.display_name = Some(name.trim().chars().take(128).collect());
        Ok(node.clone())
    }

    /// The approved node, if this is its token.
    #[must_use]
    pub fn verify(&self, node_id: &str, token: &str) -> Option<&PairedNode> {
        self.paired.iter().find(|node| node.ask.node_id == node_id && node.token.matches(token))
    }
}
