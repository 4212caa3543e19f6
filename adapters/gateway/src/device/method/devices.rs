//! `device.pair.*` and `device.token.*`. What an operator may decide is checked by the store, inside of the transaction.

use dmgate::device::{Approver, DeviceError, DeviceId, DeviceRequestId, Role, Scopes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::frame::Failure;
use super::super::live::Who;
use super::super::{Gate, listing};
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
struct OfDevice {
    device_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfToken {
    device_id: String,
    role: String,
    scopes: Option<Vec<String>>,
}

impl Gate {
    pub(super) async fn list_devices(&self, given: Value) -> Result<Value, Failure> {
        let Nothing {} = params("device.pair.list", given)?;
        let (_, view) = self.look().await;
        if let Some(fault) = view.paired_fault.as_ref().or(view.pending_fault.as_ref()) {
            return Err(failed(&DeviceError::Store(fault.clone().into())));
        }
        let waiting = view.devices.waiting(self.world.clock.now());
        let pending: Vec<Value> = waiting.into_iter().rev().map(listing::request).collect();
        let mut paired: Vec<_> = view.devices.paired.iter().collect();
        paired.sort_by_key(|device| std::cmp::Reverse(device.approved_at));
        let paired: Vec<Value> = paired.into_iter().map(listing::device).collect();
        Ok(json!({ "pending": pending, "paired": paired }))
    }

    pub(super) async fn approve_device(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfRequest { request_id } = params("device.pair.approve", given)?;
        let (id, approver) = (DeviceRequestId::typed(&request_id), approver(who)?);
        let approved = self.store.approve(id, approver, actor(who)).await.map_err(|error| failed(&error))?;
        self.poke.notify_one();
        let id = approved.request.id.as_str();
        Ok(json!({ "requestId": id, "device": listing::device(&approved.device) }))
    }

    pub(super) async fn reject_device(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfRequest { request_id } = params("device.pair.reject", given)?;
        let (id, approver) = (DeviceRequestId::typed(&request_id), approver(who)?);
        let rejected = self.store.reject(id, approver, actor(who)).await.map_err(|error| failed(&error))?;
        self.poke.notify_one();
        Ok(json!({ "requestId": rejected.id.as_str(), "deviceId": rejected.device_id.to_string() }))
    }

    pub(super) async fn remove_device(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfDevice { device_id } = params("device.pair.remove", given)?;
        let id = DeviceId::parse(device_id.trim()).ok_or_else(|| Failure::invalid("unknown deviceId"))?;
        let removed =
            self.store.remove(id, approver(who)?, actor(who)).await.map_err(|error| failed(&error))?;
        self.poke.notify_one();
        Ok(json!({ "deviceId": removed.device_id.to_string() }))
    }

    /// Whatever is refused is refused in the same words: they say nothing about other devices.
    pub(super) async fn rotate_token(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfToken { device_id, role, scopes } = params("device.token.rotate", given)?;
        let denied = || failed(&DeviceError::RotationDenied);
        let id = DeviceId::parse(device_id.trim()).ok_or_else(denied)?;
        let role = Role::parse(role.trim()).ok_or_else(denied)?;
        let scopes = match &scopes {
            None => None,
            Some(texts) => {
                let parsed = Scopes::parse(texts.iter().map(|text| text.trim()));
                Some(parsed.map_err(|error| Failure::invalid(error.to_string()))?)
            }
        };
        let rotated = self.store.rotate(id, role, scopes, approver(who)?, actor(who)).await;
        let grant = rotated.map_err(|error| match error {
            DeviceError::Store(_) => failed(&error),
            _ => denied(),
        })?;
        let at = grant.rotated_at.unwrap_or(grant.created_at);
        Ok(json!({
            "deviceId": id.to_string(),
            "role": grant.role.as_str(),
            "token": grant.token.reveal(),
            "scopes": listing::scopes(&grant.scopes),
            "rotatedAtMs": at.as_millis(),
        }))
    }

    pub(super) async fn revoke_token(&self, who: &Who, given: Value) -> Result<Value, Failure> {
        let OfToken { device_id, role, scopes: None } = params("device.token.revoke", given)? else {
            return Err(Failure::invalid("invalid device.token.revoke params"));
        };
        let unknown = || Failure::invalid("unknown deviceId/role");
        let id = DeviceId::parse(device_id.trim()).ok_or_else(unknown)?;
        let role = Role::parse(role.trim()).ok_or_else(unknown)?;
        let revoked = self.store.revoke(id, role, approver(who)?, actor(who)).await;
        let grant = revoked.map_err(|error| match error {
            DeviceError::UnknownDevice | DeviceError::UnknownRole => unknown(),
            other => failed(&other),
        })?;
        self.poke.notify_one();
        let at = grant.revoked_at.unwrap_or_else(|| self.world.clock.now());
        Ok(json!({ "deviceId": id.to_string(), "role": grant.role.as_str(), "revokedAtMs": at.as_millis() }))
    }
}

/// Who decides: a device, as far as its rights go. The gateway's secret alone decides nothing.
fn approver(who: &Who) -> Result<Approver, Failure> {
    who.session.clone().map(Approver::Device).ok_or_else(|| missing(dmgate::device::PAIRING))
}
