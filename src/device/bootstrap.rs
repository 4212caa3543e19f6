//! What a setup code lets one device do: ask to be paired, and fetch what it was granted.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::identity::{DeviceId, PublicKey};
use super::request::Ask;
use super::role::{Role, Scopes};
use super::token::Token;
use crate::clock::{Timestamp, millis};

/// A bootstrap token, as `devices/bootstrap.json` holds it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// The token.
    pub token: Token,
    /// When it was made.
    #[serde(rename = "ts", with = "millis")]
    pub made_at: Timestamp,
    /// What a device may ask for with it. Without one it is what a plain node asks for.
    #[serde(default)]
    pub profile: Profile,
    /// When it was made, as other programs write it.
    #[serde(
        rename = "issuedAtMs",
        default,
        with = "millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub issued_at: Option<Timestamp>,
    /// The device that it serves from its first use on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The key of that device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// What other programs keep here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a device may ask for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// In which roles.
    pub roles: Vec<Role>,
    /// With which rights.
    #[serde(default)]
    pub scopes: Scopes,
    /// What other programs keep here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How long a setup code works.
pub const BOOTSTRAP_TTL: Duration = Duration::from_secs(600);

/// The most setup codes at once; with one more the oldest goes.
pub const MOST_BOOTSTRAPS: usize = 32;

impl Default for Profile {
    fn default() -> Self {
        Self { roles: vec![Role::Node], scopes: Scopes::default(), extra: Map::new() }
    }
}

impl Bootstrap {
    pub(super) fn new(token: Token, now: Timestamp) -> Self {
        let (profile, device_id, public_key, extra) = Default::default();
        Self { token, made_at: now, profile, issued_at: Some(now), device_id, public_key, extra }
    }

    /// Until when it works.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.made_at.plus(BOOTSTRAP_TTL)
    }

    /// Whether it works at `now`. One that was made in the future was made by a clock that is wrong.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.made_at <= now.plus(super::identity::SKEW) && now < self.expires_at()
    }

    /// Whether this device may use it for what it asks.
    // INVARIANT I17: from its first use on it serves one key, and never more than its profile.
    pub(super) fn serves(&self, ask: &Ask) -> bool {
        let is_free = self.device_id.is_none() && self.public_key.is_none();
        let is_bound = self.device_id == Some(ask.identity.id())
            && self.public_key.is_none_or(|key| key == ask.identity.key());
        let is_in_profile = self.profile.roles.contains(&ask.role) && self.profile.scopes == ask.scopes;
        (is_free || is_bound) && is_in_profile
    }

    pub(super) fn bind(&mut self, ask: &Ask) {
        self.device_id = Some(ask.identity.id());
        self.public_key = Some(ask.identity.key());
    }
}
