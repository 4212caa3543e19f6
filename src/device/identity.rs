//! Who a device is: an Ed25519 key (RFC 8032), and what it signs to show that it holds it.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::token::is_same_secret;
use crate::clock::Timestamp;

/// The id of a device: the SHA-256 of its raw public key, in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 32]);

/// An Ed25519 public key: 32 bytes, on the wire in base64url without padding, or as PEM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// What a connection says of its device, not proven yet.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// The id that it gives.
    pub id: &'a str,
    /// The public key that it gives.
    pub public_key: &'a str,
    /// The signature, base64url.
    pub signature: &'a str,
    /// When it says that it signed, in milliseconds since 1970.
    pub signed_at: i64,
    /// The challenge that it says it signed.
    pub nonce: &'a str,
}

/// What goes under the signature beside the [`Claim`].
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The program, as `node-host`.
    pub client_id: &'a str,
    /// What kind of program, as `node`.
    pub client_mode: &'a str,
    /// The role that is asked for.
    pub role: &'a str,
    /// The scopes that are asked for, in the order of the message.
    pub scopes: &'a [String],
    /// The credential that is shown, or nothing.
    pub token: &'a str,
    /// The platform, or nothing.
    pub platform: &'a str,
    /// The family of devices, or nothing.
    pub device_family: &'a str,
}

/// A device that showed that it holds its key. Nothing but [`prove`] makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    id: DeviceId,
    key: PublicKey,
}

/// Why a device is not taken for who it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// The id is not that of the key, or the key is none.
    #[error("device identity mismatch")]
    DeviceIdMismatch,
    /// Signed too long ago, or in the future.
    #[error("device signature expired")]
    SignatureExpired,
    /// It signed no challenge.
    #[error("device nonce required")]
    NonceRequired,
    /// It signed another challenge than ours.
    #[error("device nonce mismatch")]
    NonceMismatch,
    /// The signature is not by this key, or not over this.
    #[error("device signature invalid")]
    SignatureInvalid,
}

/// How far the clock of a device may be from ours.
pub const SKEW: Duration = Duration::from_secs(120);

/// What stands before the 32 bytes of the key in its DER form (RFC 8410 §4).
const DER_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Takes a device for who it says, if it signed our challenge just now with the key of its id.
///
/// # Errors
/// [`IdentityError`], in the order of the checks.
pub fn prove(
    claim: &Claim<'_>,
    signed: &Signed<'_>,
    challenge: &str,
    now: Timestamp,
) -> Result<Identity, IdentityError> {
    let key = PublicKey::parse(claim.public_key).ok_or(IdentityError::DeviceIdMismatch)?;
    let id = key.device_id();
    if claim.id != id.to_string() {
        return Err(IdentityError::DeviceIdMismatch);
    }
    let skew = u64::try_from(SKEW.as_millis()).unwrap_or(u64::MAX);
    if now.as_millis().abs_diff(claim.signed_at) > skew {
        return Err(IdentityError::SignatureExpired);
    }
    if claim.nonce.trim().is_empty() {
        return Err(IdentityError::NonceRequired);
    }
    if !is_same_secret(challenge, claim.nonce) {
        return Err(IdentityError::NonceMismatch);
    }
    let is_good = [signed.v3(claim), signed.v2(claim)].iter().any(|text| key.signed(text, claim.signature));
    if is_good { Ok(Identity { id, key }) } else { Err(IdentityError::SignatureInvalid) }
}

impl Identity {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// The identity of a key that nobody needs to hold.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn unproven(key: PublicKey) -> Self {
        Self { id: key.device_id(), key }
    }
}

impl DeviceId {
    /// Reads the established form: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        (is_lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(Self(bytes))
    }
}

impl PublicKey {
    /// A key of 32 raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a key in one of its two forms. Whether it is a good one shows when it verifies something.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let raw = match text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----") {
            Some(rest) => {
                let body: String =
                    rest.strip_suffix("-----END PUBLIC KEY-----")?.split_ascii_whitespace().collect();
                STANDARD.decode(body).ok()?.strip_prefix(&DER_HEAD[..])?.to_vec()
            }
            None => URL_SAFE_NO_PAD.decode(text).ok()?,
        };
        raw.try_into().ok().map(Self)
    }

    /// The id of its device.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        DeviceId(Sha256::digest(self.0).into())
    }

    /// Whether this text was signed by it. Strictly: no key and no signature that fits more than one (RFC 8032 §5.1.7,
    /// with the checks for points of small order).
    fn signed(&self, text: &str, signature: &str) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        let signature =
            URL_SAFE_NO_PAD.decode(signature).ok().and_then(|raw| Signature::from_slice(&raw).ok());
        matches!((key, signature), (Ok(key), Some(signature)) if key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl Signed<'_> {
    /// The text of version 3.
    #[must_use]
    pub fn v3(&self, claim: &Claim<'_>) -> String {
        format!("{}|{}|{}", self.common("v3", claim), plain(self.platform), plain(self.device_family))
    }

    /// The text of version 2, which leaves two fields out.
    #[must_use]
    pub fn v2(&self, claim: &Claim<'_>) -> String {
        self.common("v2", claim)
    }

    fn common(&self, version: &str, claim: &Claim<'_>) -> String {
        let Self { client_id, client_mode, role, token, .. } = self;
        let (id, scopes, at, nonce) = (claim.id, self.scopes.join(","), claim.signed_at, claim.nonce);
        format!("{version}|{id}|{client_id}|{client_mode}|{role}|{scopes}|{at}|{token}|{nonce}")
    }
}

/// As fields are compared and signed: without blanks around, ASCII letters small.
pub(super) fn plain(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Base64url without padding.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Signed<'_> {
    // A credential is among it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("client_id", &self.client_id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a device id"))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a public key"))
    }
}

#[cfg(test)]
#[path = "identity/tests.rs"]
mod tests;
