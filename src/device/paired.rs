//! A device that the owner let in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::identity::{DeviceId, PublicKey};
use super::request::Description;
use super::role::{Role, Scopes};
use super::token::Token;
use crate::clock::{Timestamp, millis};

/// A paired device, as `devices/paired.json` holds it. What other programs keep in it stays.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its id.
    pub device_id: DeviceId,
    /// Its key.
    pub public_key: PublicKey,
    /// What it says about itself; platform and family are those that were approved.
    #[serde(flatten)]
    pub description: Description,
    /// The role that was approved last.
    pub role: Role,
    /// All roles that were approved.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// As `approved_scopes`, where other programs look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
    /// What was approved: no token goes beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_scopes: Option<Scopes>,
    /// The address that it last came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// What it shows, by role.
    #[serde(default)]
    pub tokens: BTreeMap<Role, Grant>,
    /// When it was first approved.
    #[serde(rename = "createdAtMs", with = "millis")]
    pub created_at: Timestamp,
    /// When it was last approved.
    #[serde(rename = "approvedAtMs", with = "millis")]
    pub approved_at: Timestamp,
    /// What other programs keep here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a device has in one role.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// What it shows.
    pub token: Token,
    /// In which role.
    pub role: Role,
    /// With which rights.
    #[serde(default)]
    pub scopes: Scopes,
    /// When there first was a token, after it was revoked last.
    #[serde(rename = "createdAtMs", with = "millis")]
    pub created_at: Timestamp,
    /// When this one took the place of another.
    #[serde(
        rename = "rotatedAtMs",
        default,
        with = "millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub rotated_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(
        rename = "revokedAtMs",
        default,
        with = "millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(
        rename = "lastUsedAtMs",
        default,
        with = "millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_used_at: Option<Timestamp>,
    /// What other programs keep here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Device {
    /// What was approved for it.
    #[must_use]
    pub fn approved(&self) -> Scopes {
        self.approved_scopes.clone().or_else(|| self.scopes.clone()).unwrap_or_default()
    }

    /// What it has in a role, unless that was revoked.
    // INVARIANT I17: what was revoked is not there for anybody who asks, in whatever way.
    #[must_use]
    pub fn grant(&self, role: Role) -> Option<&Grant> {
        self.tokens.get(&role).filter(|grant| grant.revoked_at.is_none())
    }

    /// Whether the owner approved this role and did not revoke it.
    #[must_use]
    pub fn may_be(&self, role: Role) -> bool {
        let was_approved = self.role == role || self.roles.contains(&role);
        was_approved && self.tokens.get(&role).is_none_or(|grant| grant.revoked_at.is_none())
    }

    /// What it may do in a role: what its token has, as far as that was approved. `None` where it has no token that works.
    // INVARIANT I17: a token that another program gave more than was approved is worth what was approved.
    #[must_use]
    pub fn held(&self, role: Role) -> Option<Scopes> {
        self.grant(role).map(|grant| grant.scopes.within(&self.approved()))
    }

    pub(super) fn approve(&mut self, scopes: Scopes) {
        self.approved_scopes = Some(scopes.clone());
        self.scopes = Some(scopes);
    }
}
