//! What a client may ask for, and what it needs for that.

mod devices;
mod nodes;

use dmgate::device::{ADMIN, DeviceError, PAIRING, Role};
use dmgate::pairing::Surface;
use dmgate::store::Actor;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Gate;
use super::frame::{Failure, Request};
use super::keeper::stands;
use super::live::Who;

/// What comes of a request.
pub(crate) enum Answer {
    Done(Result<Value, Failure>),
    /// It is none of the client's business.
    Forbidden(Failure),
    /// The client's session stands no more.
    Over,
}

/// The methods that there are.
pub(crate) const NAMES: [&str; 15] = [
    "device.pair.approve",
    "device.pair.list",
    "device.pair.reject",
    "device.pair.remove",
    "device.token.revoke",
    "device.token.rotate",
    "health",
    "node.describe",
    "node.list",
    "node.pair.approve",
    "node.pair.list",
    "node.pair.reject",
    "node.pair.request",
    "node.pair.verify",
    "node.rename",
];

/// The events that there are.
pub(crate) const EVENTS: [&str; 6] = [
    "connect.challenge",
    "device.pair.requested",
    "device.pair.resolved",
    "node.pair.requested",
    "node.pair.resolved",
    "tick",
];

const READ: &str = "operator.read";
const WRITE: &str = "operator.write";

/// What an operator needs for a method; `None` if there is no such method.
fn needed(method: &str) -> Option<&'static str> {
    match method {
        "node.list" | "node.describe" => Some(READ),
        "node.pair.approve" => Some(WRITE),
        _ => NAMES.contains(&method).then_some(PAIRING),
    }
}

impl Gate {
    /// Answers a request. Each one is looked at anew: a session that was revoked a moment ago decides nothing.
    pub(crate) async fn answer(&self, who: &Who, request: Request) -> Answer {
        let Request { method, params, .. } = request;
        if let Some(session) = &who.session {
            let (_, view) = self.look().await;
            if !stands(&view, session) {
                return Answer::Over;
            }
        }
        if method == "health" {
            return Answer::Done(Ok(json!({ "ok": true, "ts": self.world.clock.now().as_millis() })));
        }
        let scopes = who.scopes();
        let role = who.session.as_ref().map_or(Role::Operator, |session| session.role);
        if role != Role::Operator {
            return Answer::Forbidden(Failure::invalid(format!("unauthorized role: {role}")));
        }
        // What is not known is for the highest right only, so that nobody else learns what there is.
        let scope = needed(&method).unwrap_or(ADMIN);
        if !scopes.allow(scope) {
            return Answer::Forbidden(missing(scope));
        }
        Answer::Done(match &*method {
            "device.pair.list" => self.list_devices(params).await,
            "device.pair.approve" => self.approve_device(who, params).await,
            "device.pair.reject" => self.reject_device(who, params).await,
            "device.pair.remove" => self.remove_device(who, params).await,
            "device.token.rotate" => self.rotate_token(who, params).await,
            "device.token.revoke" => self.revoke_token(who, params).await,
            "node.list" => self.list_nodes(params).await,
            "node.describe" => self.describe_node(params).await,
            "node.pair.request" => self.request_node(params).await,
            "node.pair.list" => self.list_node_records(params).await,
            "node.pair.approve" => self.approve_node(who, params).await,
            "node.pair.reject" => self.reject_node(who, params).await,
            "node.pair.verify" => self.verify_node(params).await,
            "node.rename" => self.rename_node(who, params).await,
            _ => Err(Failure::invalid(format!("unknown method: {}", dmgate::escape(&method)))),
        })
    }
}

/// What a method is asked with; nothing is in it that the protocol does not know. What was in it is not said again.
fn params<T: DeserializeOwned>(method: &str, params: Value) -> Result<T, Failure> {
    let params = if params.is_null() { json!({}) } else { params };
    serde_json::from_value(params).map_err(|_| Failure::invalid(format!("invalid {method} params")))
}

fn missing(scope: &str) -> Failure {
    Failure::invalid(format!("missing scope: {scope}"))
}

/// Who does something, for the record.
fn actor(who: &Who) -> Actor {
    let name = who.session.as_ref().map(|session| format!("device:{}", session.device));
    Actor { name: name.unwrap_or_else(|| "gateway".to_owned()), surface: Surface::Remote }
}

fn failed(error: &DeviceError) -> Failure {
    match error {
        DeviceError::Store(error) => {
            tracing::warn!("a request about devices failed: {error}");
            Failure::unavailable("the files of the devices can't be used now; see the gateway's log")
        }
        other => Failure::invalid(other.to_string()),
    }
}
