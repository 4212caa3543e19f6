//! Where the owner decides about devices: on the files of the state directory, whether `dmgate run` runs there or not, or
//! through another gateway.

mod files;
mod key;
mod link;
mod remote;
mod tokens;

use dmgate::device::{DeviceId, DeviceRequestId, Role, Scopes};
use serde_json::{Value, json};

use self::files::Files;
use self::remote::Remote;
use crate::arguments::Where;
use crate::context::Context;
use crate::failure::Failure;

/// One place to decide.
pub(crate) enum Desk {
    /// The state directory.
    Files(Files),
    /// Another gateway.
    Remote(Box<Remote>),
}

/// What the owner says. The answers have the form of the established protocol.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// A device is let in: `{requestId, device}`.
    ApproveDevice(DeviceRequestId),
    /// A device's request is closed: `{requestId, deviceId}`.
    RejectDevice(DeviceRequestId),
    /// A device is paired no more: `{deviceId}`.
    RemoveDevice(DeviceId),
    /// A device gets another token: `{deviceId, role, token, scopes, rotatedAtMs}`.
    RotateToken(DeviceId, Role, Option<Scopes>),
    /// A device has a role no more: `{deviceId, role, revokedAtMs}`.
    RevokeToken(DeviceId, Role),
    /// A node's commands are let in: `{requestId, node}`.
    ApproveNode(DeviceRequestId),
    /// A node's request is closed: `{requestId, nodeId}`.
    RejectNode(DeviceRequestId),
    /// A node gets another name: `{nodeId, displayName}`.
    RenameNode(String, String),
}

/// A listing, `{pending, paired}`, and what of it could not be read.
pub(crate) struct Listing {
    pub(crate) told: Value,
    pub(crate) trouble: Option<Failure>,
}

impl Desk {
    /// The place that was named.
    pub(crate) fn open(place: &Where, context: &Context) -> Result<Self, Failure> {
        match Remote::open(place, context)? {
            Some(remote) => Ok(Self::Remote(Box::new(remote))),
            None => Files::open(context).map(Self::Files),
        }
    }

    /// Who asks to be paired, and who is.
    pub(crate) async fn devices(&self) -> Result<Listing, Failure> {
        match self {
            Self::Files(files) => Ok(files.devices()),
            Self::Remote(remote) => remote.devices().await,
        }
    }

    /// The nodes that ask, and those that were approved.
    pub(crate) async fn nodes(&self) -> Result<Value, Failure> {
        match self {
            Self::Files(files) => files.nodes().await,
            Self::Remote(remote) => remote.nodes().await,
        }
    }

    /// Does it, and gives the answer.
    pub(crate) async fn tell(&self, order: Order) -> Result<Value, Failure> {
        match self {
            Self::Files(files) => files.tell(order).await,
            Self::Remote(remote) => remote.tell(order).await,
        }
    }

    /// Every device is paired no more and, with `requests`, nobody waits any more:
    /// `{removedDevices: […], rejectedPending: […]}`.
    pub(crate) async fn clear(&self, requests: bool) -> Result<Value, Failure> {
        match self {
            Self::Files(files) if requests => files.clear().await,
            Self::Files(_) | Self::Remote(_) => self.clear_one_by_one(requests).await,
        }
    }

    async fn clear_one_by_one(&self, requests: bool) -> Result<Value, Failure> {
        let listing = self.devices().await?;
        if let Some(trouble) = listing.trouble {
            return Err(trouble);
        }
        let texts = |list: &str, key: &str| -> Vec<String> {
            let of_each = |one: &Value| one.get(key).and_then(Value::as_str).map(str::to_owned);
            let list = listing.told.get(list).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(of_each).collect()
        };
        let removed = texts("paired", "deviceId");
        for id in removed.iter().filter_map(|id| DeviceId::parse(id)) {
            self.tell(Order::RemoveDevice(id)).await?;
        }
        let rejected = if requests { texts("pending", "requestId") } else { Vec::new() };
        for id in &rejected {
            self.tell(Order::RejectDevice(DeviceRequestId::typed(id))).await?;
        }
        Ok(json!({ "removedDevices": removed, "rejectedPending": rejected }))
    }
}
