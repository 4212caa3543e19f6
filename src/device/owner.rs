//! What the owner says about devices, or a device that the owner gave the right to say it.

use super::Devices;
use super::bootstrap::{Bootstrap, MOST_BOOTSTRAPS};
use super::connect::Session;
use super::identity::DeviceId;
use super::paired::{Device, Grant};
use super::request::{DeviceRequest, DeviceRequestId};
use super::role::{PAIRING, Role, Scope, Scopes};
use super::token::Token;
use crate::clock::{Entropy, NoEntropy, Timestamp};
use crate::store::StoreError;

/// Who decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Approver {
    /// The owner: whoever can read the files, or is on the owner's list.
    Owner,
    /// A connected device, as far as its rights go now.
    Device(Session),
}

/// What an approval did.
#[derive(Clone, PartialEq, Debug)]
pub struct Approved {
    /// What was asked.
    pub request: DeviceRequest,
    /// The device as it is now.
    pub device: Device,
}

impl Approved {
    /// Whether the device has what it was given.
    pub(crate) fn is_in(&self, devices: &Devices) -> bool {
        let grant = |device: &Device| device.grant(self.request.role).map(|grant| grant.token.clone());
        devices.device(&self.device.device_id).is_some_and(|device| grant(device) == grant(&self.device))
    }
}

/// What [`Devices::clear`] did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cleared {
    /// Devices that are not paired any more.
    pub devices: Vec<DeviceId>,
    /// Requests that wait no more.
    pub requests: Vec<DeviceRequestId>,
}

impl Cleared {
    /// What was done in several goes.
    pub(crate) fn join(&mut self, more: Self) {
        self.devices.extend(more.devices);
        self.requests.extend(more.requests);
        self.devices.sort_unstable();
        self.devices.dedup();
        let mut seen = std::collections::HashSet::new();
        self.requests.retain(|request| seen.insert(request.clone()));
    }
}

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeviceError {
    /// No request of this id waits: it expired, was decided, or the device asked for something else since.
    #[error("unknown requestId")]
    UnknownRequest,
    /// No device of this id is paired.
    #[error("unknown deviceId")]
    UnknownDevice,
    /// The device has not this role.
    #[error("the device has no such role")]
    UnknownRole,
    /// Whoever decides may not.
    #[error("missing scope: {0}")]
    MissingScope(Scope),
    /// A token would get rights that it had not.
    #[error("device token rotation denied")]
    RotationDenied,
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoEntropy> for DeviceError {
    fn from(error: NoEntropy) -> Self {
        Self::Store(error.into())
    }
}

/// What whoever decides may give: nobody gives what they have not.
enum Power {
    All,
    Some(Scopes),
}

impl Power {
    // INVARIANT I17: what is approved is within what the approver holds, also where nothing is asked for.
    fn check(&self, wanted: &Scopes) -> Result<(), DeviceError> {
        match self {
            Self::All => Ok(()),
            Self::Some(held) => match held.first_missing(wanted) {
                None => Ok(()),
                Some(missing) => Err(DeviceError::MissingScope(missing.clone())),
            },
        }
    }
}

impl Devices {
    /// A request is approved: the device gets a token for the role that it asked for, with the rights that it asked for.
    ///
    /// # Errors
    /// [`DeviceError::UnknownRequest`], [`DeviceError::MissingScope`]; [`DeviceError::Store`] without randomness.
    pub fn approve(
        &mut self,
        id: &DeviceRequestId,
        approver: &Approver,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Approved, DeviceError> {
        self.upkeep(now);
        let power = self.power(approver)?;
        let found = self.pending.iter().find(|request| request.id == *id).cloned();
        let request = found.ok_or(DeviceError::UnknownRequest)?;
        power.check(&request.scopes)?;
        let token = Token::draw(entropy)?;
        let scopes = request.scopes.written_out();
        let known = self.device(&request.device_id).cloned();
        let mut device = known.unwrap_or_else(|| Device::of(&request, now));
        let approved = device.approved().and(&scopes);
        device.approve(approved);
        device.description.clone_from(&request.description);
        device.remote_ip.clone_from(&request.remote_ip);
        device.role = request.role;
        if !device.roles.contains(&request.role) {
            device.roles.push(request.role);
        }
        device.approved_at = now;
        let grant = match device.tokens.get(&request.role) {
            Some(before) => before.renewed(token, scopes, now),
            None => Grant::new(token, request.role, scopes, now),
        };
        device.tokens.insert(request.role, grant);
        match self.paired.iter_mut().find(|other| other.device_id == device.device_id) {
            Some(other) => other.clone_from(&device),
            None => self.paired.push(device.clone()),
        }
        self.pending.retain(|other| other.id != request.id);
        Ok(Approved { request, device })
    }

    /// A request is rejected; a setup code that led to it is dead.
    ///
    /// # Errors
    /// [`DeviceError::UnknownRequest`], [`DeviceError::MissingScope`].
    pub fn reject(
        &mut self,
        id: &DeviceRequestId,
        approver: &Approver,
        now: Timestamp,
    ) -> Result<DeviceRequest, DeviceError> {
        self.upkeep(now);
        self.power(approver)?;
        let at = self.pending.iter().position(|request| request.id == *id);
        let request = self.pending.remove(at.ok_or(DeviceError::UnknownRequest)?);
        self.bootstrap.retain(|one| one.device_id != Some(request.device_id));
        Ok(request)
    }

    /// A device is paired no more, and asks for nothing any more.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`], [`DeviceError::MissingScope`].
    pub fn remove(&mut self, id: &DeviceId, approver: &Approver) -> Result<Device, DeviceError> {
        self.power_over(id, approver)?;
        let at = self.paired.iter().position(|device| device.device_id == *id);
        let device = self.paired.remove(at.ok_or(DeviceError::UnknownDevice)?);
        self.forget_asking(id);
        Ok(device)
    }

    /// Every device is removed, and every request rejected; or only the requests.
    ///
    /// # Errors
    /// [`DeviceError::MissingScope`].
    pub fn clear(
        &mut self,
        only_requests: bool,
        approver: &Approver,
        now: Timestamp,
    ) -> Result<Cleared, DeviceError> {
        self.upkeep(now);
        self.power(approver)?;
        let ids: Vec<DeviceId> = self.paired.iter().map(|device| device.device_id).collect();
        let ids = if only_requests { Vec::new() } else { ids };
        for id in &ids {
            self.power_over(id, approver)?;
        }
        let requests = self.pending.drain(..).map(|request| request.id).collect();
        self.bootstrap.retain(|one| one.device_id.is_none());
        self.paired.retain(|device| !ids.contains(&device.device_id));
        Ok(Cleared { devices: ids, requests })
    }

    /// A device gets another token for a role; the one before works no more. Without `scopes` it has the same rights.
    ///
    /// # Errors
    /// [`DeviceError::RotationDenied`] for rights that the token had not or that the approver has not, and for a token that
    /// was revoked; [`DeviceError::UnknownDevice`]; [`DeviceError::Store`] without randomness.
    // INVARIANT I17: a rotated token has at most what it had, and what was revoked stays so.
    pub fn rotate(
        &mut self,
        id: &DeviceId,
        role: Role,
        scopes: Option<&Scopes>,
        approver: &Approver,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Grant, DeviceError> {
        let power = self.power(approver)?;
        let device = self.device(id).ok_or(DeviceError::UnknownDevice)?;
        let before = device.grant(role).filter(|_| device.may_be(role)).ok_or(DeviceError::RotationDenied)?;
        let held = device.held(role).unwrap_or_default();
        let wanted = scopes.map_or_else(|| held.clone(), Scopes::written_out);
        if !held.cover(&wanted) || power.check(&held).is_err() {
            return Err(DeviceError::RotationDenied);
        }
        let after = before.renewed(Token::draw(entropy)?, wanted, now);
        if let Some(device) = self.device_mut(id) {
            device.tokens.insert(role, after.clone());
        }
        Ok(after)
    }

    /// A device has a role no more: its token works no more, and what was approved shrinks to what its other roles hold.
    ///
    /// # Errors
    /// [`DeviceError::UnknownDevice`], [`DeviceError::UnknownRole`], [`DeviceError::MissingScope`].
    // INVARIANT I17: nothing gives a revoked token back but a request that the owner approves.
    pub fn revoke(
        &mut self,
        id: &DeviceId,
        role: Role,
        approver: &Approver,
        now: Timestamp,
    ) -> Result<Grant, DeviceError> {
        self.power_over(id, approver)?;
        let device = self.device_mut(id).ok_or(DeviceError::UnknownDevice)?;
        let grant = device.tokens.get_mut(&role).ok_or(DeviceError::UnknownRole)?;
        grant.revoked_at = grant.revoked_at.or(Some(now));
        let grant = grant.clone();
        let live = device.tokens.values().filter(|grant| grant.revoked_at.is_none());
        let left = live.fold(Scopes::default(), |all, grant| all.and(&grant.scopes));
        device.approve(left);
        self.forget_asking(id);
        Ok(grant)
    }

    /// Makes a setup code's token.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn invite(&mut self, now: Timestamp, entropy: &dyn Entropy) -> Result<Bootstrap, NoEntropy> {
        self.upkeep(now);
        let made = Bootstrap::new(Token::draw(entropy)?, now);
        self.bootstrap.push(made.clone());
        let too_many = self.bootstrap.len().saturating_sub(MOST_BOOTSTRAPS);
        self.bootstrap.drain(..too_many);
        Ok(made)
    }

    /// Every setup code is dead. Says how many worked.
    pub fn cancel_invitations(&mut self, now: Timestamp) -> usize {
        self.upkeep(now);
        std::mem::take(&mut self.bootstrap).len()
    }

    /// A request that waits, and a setup code that is bound, would lead back what was just taken away.
    fn forget_asking(&mut self, id: &DeviceId) {
        self.pending.retain(|request| request.device_id != *id);
        self.bootstrap.retain(|one| one.device_id != Some(*id));
    }

    /// What the approver may give. A device is looked up anew: its rights are those that it has now.
    fn power(&self, approver: &Approver) -> Result<Power, DeviceError> {
        let missing =
            |scope: &str| Scope::parse(scope).map_or(DeviceError::RotationDenied, DeviceError::MissingScope);
        match approver {
            Approver::Owner => Ok(Power::All),
            Approver::Device(session) if session.role == Role::Operator && self.stands(session) => {
                let may = session.scopes.allow(PAIRING);
                if may { Ok(Power::Some(session.scopes.clone())) } else { Err(missing(PAIRING)) }
            }
            Approver::Device(_) => Err(missing(PAIRING)),
        }
    }

    /// Nobody takes from a device what they could not give it.
    fn power_over(&self, id: &DeviceId, approver: &Approver) -> Result<(), DeviceError> {
        let power = self.power(approver)?;
        // Also one whose key is not the one of its id: it can do nothing, and can be removed.
        let device = self.paired.iter().find(|device| device.device_id == *id);
        let device = device.ok_or(DeviceError::UnknownDevice)?;
        let is_itself = matches!(approver, Approver::Device(session) if session.device == *id);
        if is_itself { Ok(()) } else { power.check(&device.approved()) }
    }
}
