//! The owner decides on the files, under their locks: a gateway that runs sees it at once.

use dmgate::device::{Approver, DeviceStore, NodeStore};
use dmgate::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{Listing, Order};
use crate::context::{self, Context};
use crate::failure::Failure;

/// The files of the state directory.
pub(crate) struct Files {
    devices: DeviceStore,
    nodes: NodeStore,
}

impl Files {
    pub(super) fn open(context: &Context) -> Result<Self, Failure> {
        Ok(Self { devices: context.devices()?, nodes: context.nodes()? })
    }

    /// Of what can't be read nothing is known; the rest is told all the same.
    pub(super) fn devices(&self) -> Listing {
        let view = self.devices.view();
        let fault = view.paired_fault.as_ref().or(view.pending_fault.as_ref());
        Listing { told: view.devices.told(SystemClock.now()), trouble: fault.cloned().map(Failure::from) }
    }

    pub(super) async fn nodes(&self) -> Result<Value, Failure> {
        Ok(self.nodes.load().await?.told(SystemClock.now()))
    }

    pub(super) async fn tell(&self, order: Order) -> Result<Value, Failure> {
        let (owner, actor) = (Approver::Owner, context::actor());
        Ok(match order {
            Order::ApproveDevice(id) => {
                let done = self.devices.approve(id, owner, actor).await?;
                json!({ "requestId": done.request.id, "device": done.device.told() })
            }
            Order::RejectDevice(id) => {
                let request = self.devices.reject(id, owner, actor).await?;
                json!({ "requestId": request.id, "deviceId": request.device_id })
            }
            Order::RemoveDevice(id) => {
                let device = self.devices.remove(id, owner, actor).await?;
                json!({ "deviceId": device.device_id })
            }
            Order::RotateToken(id, role, scopes) => {
                let grant = self.devices.rotate(id, role, scopes, owner, actor).await?;
                let at = grant.rotated_at.unwrap_or(grant.created_at).as_millis();
                json!({
                    "deviceId": id, "role": role, "token": grant.token.reveal(), "scopes": grant.scopes,
                    "rotatedAtMs": at,
                })
            }
            Order::RevokeToken(id, role) => {
                let grant = self.devices.revoke(id, role, owner, actor).await?;
                let at = grant.revoked_at.map(dmgate::Timestamp::as_millis);
                json!({ "deviceId": id, "role": role, "revokedAtMs": at })
            }
            // The node gets its token from whoever approves it: nobody else ever shows it.
            Order::ApproveNode(id) => {
                let node = self.nodes.approve(id.clone(), actor).await?;
                json!({ "requestId": id, "node": node })
            }
            Order::RejectNode(id) => {
                let request = self.nodes.reject(id, actor).await?;
                json!({ "requestId": request.id, "nodeId": request.ask.node_id })
            }
            Order::RenameNode(id, name) => {
                let node = self.nodes.rename(id, name, actor).await?;
                json!({ "nodeId": node.ask.node_id, "displayName": node.ask.display_name })
            }
        })
    }

    pub(super) async fn clear(&self) -> Result<Value, Failure> {
        let cleared = self.devices.clear(false, Approver::Owner, context::actor()).await?;
        Ok(json!({ "removedDevices": cleared.devices, "rejectedPending": cleared.requests }))
    }
}
