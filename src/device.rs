//! Device pairing: phones and headless machines join a gateway when its owner says so, and no sooner.
//!
//! A device proves who it is ([`prove`]), and asks to be let in ([`Devices::connect`]); the owner decides
//! ([`Devices::approve`]); from then on the device shows the token that it was given. The rules are pure: what is durable
//! is [`Devices`], and [`DeviceStore`] keeps it in the established files.
//!
//! The protocol and the files are those of OpenClaw 2026.3.28; where its rules let a device have more than the owner
//! approved, ours do not (see `docs/devices.md`).

mod bootstrap;
mod connect;
mod identity;
mod node;
mod owner;
mod paired;
mod request;
mod role;
mod setup;
mod token;
mod told;

pub use bootstrap::{BOOTSTRAP_TTL, Bootstrap, MOST_BOOTSTRAPS, Profile};
pub use connect::{Admission, Connected, Credential, PairingReason, Refused, Session};
pub use identity::{Claim, DeviceId, Identity, IdentityError, PublicKey, SKEW, Signed, prove};
pub use node::{NodeAsk, NodeRequest, Nodes, PairedNode};
pub use owner::{Approved, Approver, Cleared, DeviceError};
pub use paired::{Device, Grant};
pub use request::{Ask, Description, DeviceRequest, DeviceRequestId, REQUEST_TTL};
pub use role::{ADMIN, PAIRING, Role, Scope, ScopeError, Scopes};
pub use setup::{GatewayUrl, SetupCode, SetupError};
pub use token::{Token, is_same_secret};
pub use told::without_secrets;

pub use crate::store::{DeviceStore, DeviceView, NodeStore};

use crate::clock::Timestamp;

/// Everything durable about devices.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Devices {
    /// Who waits, in the order of the file.
    pub pending: Vec<DeviceRequest>,
    /// Who is in, in the order of the file.
    pub paired: Vec<Device>,
    /// Setup codes that work.
    pub bootstrap: Vec<Bootstrap>,
}

/// The most requests that wait at once; who comes then is not told an id. A device has one at most.
pub const MOST_REQUESTS: usize = 32;

impl Devices {
    /// The paired device with this id, if its key is the one of the id.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.paired.iter().find(|device| device.device_id == *id && device.public_key.device_id() == *id)
    }

    /// The requests that wait at `now`, oldest first.
    #[must_use]
    pub fn waiting(&self, now: Timestamp) -> Vec<&DeviceRequest> {
        let mut waiting: Vec<_> = self.pending.iter().filter(|request| request.is_live(now)).collect();
        waiting.sort_by_key(|request| request.asked_at);
        waiting
    }

    /// What is mended before anything else happens: what expired goes; so does the request of a device that was approved
    /// after it, by a writer that died before it was done; stamps from the future are moved to now.
    pub fn upkeep(&mut self, now: Timestamp) {
        let Self { pending, paired, bootstrap } = self;
        let is_decided = |request: &DeviceRequest| {
            paired.iter().any(|device| {
                let granted = device.grant(request.role).map(|grant| grant.scopes.cover(&request.scopes));
                device.device_id == request.device_id
                    && device.public_key == request.public_key
                    && device.approved_at >= request.asked_at
                    && granted == Some(true)
                    && !request.description.is_another_machine(&device.description)
            })
        };
        pending.retain(|request| request.is_live(now) && !is_decided(request));
        for request in pending.iter_mut().filter(|request| request.asked_at > now) {
            request.asked_at = now;
        }
        bootstrap.retain(|one| one.is_live(now));
    }

    fn device_mut(&mut self, id: &DeviceId) -> Option<&mut Device> {
        self.paired.iter_mut().find(|device| device.device_id == *id && device.public_key.device_id() == *id)
    }
}

#[cfg(test)]
mod tests;
