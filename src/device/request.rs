//! A device that waits for the owner's word.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::identity::{DeviceId, Identity, PublicKey, plain};
use super::role::{Role, Scopes};
use crate::clock::{Entropy, NoEntropy, Timestamp, draw_uuid, millis};

/// The id of a request: a random UUID, or what another program chose.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceRequestId(Box<str>);

/// What a device says about itself. None of it is proven; texts of more than 128 characters are cut.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The name that its user gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The kind of machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// The program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What kind of program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
}

/// What a connection asks for, by a device that proved who it is.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks.
    pub identity: Identity,
    /// As what.
    pub role: Role,
    /// With which rights.
    pub scopes: Scopes,
    /// What it says about itself.
    pub description: Description,
    /// The address that it comes from, where that is another machine's.
    pub remote_ip: Option<String>,
    /// Whether the owner said that nodes from that address need no word of theirs: holds for a device that was never
    /// here before and asks for no rights.
    pub is_trusted_network: bool,
}

/// A request, as `devices/pending.json` holds it. What other programs keep in it stays.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRequest {
    /// Its id.
    #[serde(rename = "requestId")]
    pub id: DeviceRequestId,
    /// Whose it is.
    pub device_id: DeviceId,
    /// The key of that device.
    pub public_key: PublicKey,
    /// What the device says about itself.
    #[serde(flatten)]
    pub description: Description,
    /// What it asks to be.
    pub role: Role,
    /// What it asks to be, as other programs write it.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Which rights it asks for.
    #[serde(default, skip_serializing_if = "Scopes::is_empty")]
    pub scopes: Scopes,
    /// The address that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// Whether nobody needs to be told.
    #[serde(default)]
    pub silent: bool,
    /// Whether the device is paired already.
    #[serde(default)]
    pub is_repair: bool,
    /// When it was last asked.
    #[serde(rename = "ts", with = "millis")]
    pub asked_at: Timestamp,
    /// What other programs keep here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How long a request waits, from when the device last asked.
pub const REQUEST_TTL: Duration = Duration::from_secs(300);

impl DeviceRequestId {
    /// Draws one.
    pub(super) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        draw_uuid(entropy).map(|text| Self(text.into()))
    }

    /// An id as it is typed.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Description {
    /// Each text cut to what is kept, and blank ones left out.
    #[must_use]
    pub fn cut(self) -> Self {
        let cut = |text: Option<String>| {
            text.map(|text| text.trim().chars().take(128).collect::<String>()).filter(|text| !text.is_empty())
        };
        Self {
            display_name: cut(self.display_name),
            platform: cut(self.platform),
            device_family: cut(self.device_family),
            client_id: cut(self.client_id),
            client_mode: cut(self.client_mode),
        }
    }

    /// Whether the machine is another one than it was, where that was noted. What a machine is can't change by itself.
    pub(super) fn is_another_machine(&self, noted: &Self) -> bool {
        let differs = |now: &Option<String>, then: &Option<String>| {
            let now = now.as_deref().map(plain).unwrap_or_default();
            then.as_deref().is_some_and(|then| plain(then) != now)
        };
        differs(&self.platform, &noted.platform) || differs(&self.device_family, &noted.device_family)
    }
}

impl DeviceRequest {
    /// Whether it still waits at `now`. A stamp from the future counts as now: it is mended when the request is next
    /// written.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.asked_at.age_at(now) < REQUEST_TTL
    }

    /// Whether this is asked again, in every point that the owner sees.
    pub(super) fn is_again(&self, ask: &Ask) -> bool {
        self.public_key == ask.identity.key()
            && self.role == ask.role
            && self.scopes == ask.scopes
            && self.description == ask.description
            && self.remote_ip == ask.remote_ip
    }
}

impl fmt::Display for DeviceRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
