//! The key by which other gateways know this machine, in the established form: `identity/device.json`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dmgate::device::{DeviceId, PublicKey};
use dmgate::store::SideFile;
use dmgate::{Clock, Entropy, OsEntropy, SystemClock};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// An Ed25519 key of our own.
pub(super) struct Key(SigningKey);

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    version: u32,
    device_id: String,
    public_key_pem: String,
    private_key_pem: String,
    #[serde(default)]
    created_at_ms: i64,
}

/// Where the key and the tokens are.
pub(super) const FOLDER: &str = "identity";

/// The longest file, in bytes.
pub(super) const LIMIT: usize = 64 << 10;

/// What stands before the 32 bytes of a private key in its DER form (RFC 8410 §7).
const PRIVATE_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What stands before the 32 bytes of a public key in its DER form (RFC 8410 §4).
const PUBLIC_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl Key {
    /// The key of a state directory; drawn where there is none.
    // INVARIANT I7: a file that can't be read is not written over: other gateways know the key in it.
    pub(super) fn of(state_dir: &Path) -> Result<Self, Failure> {
        let file = SideFile::new(state_dir, FOLDER, "device.json", LIMIT);
        let path = state_dir.join(FOLDER).join("device.json");
        let trouble = |why: &dyn std::fmt::Display| Failure::store(format!("{}: {why}", path.display()));
        if let Some(text) = file.read().map_err(|error| trouble(&error))? {
            return Self::parse(&text).ok_or_else(|| {
                trouble(&"it is damaged; restore it, or move it away and let every gateway approve this machine anew")
            });
        }
        let mut seed = [0; 32];
        OsEntropy.fill(&mut seed).map_err(|error| trouble(&error))?;
        let key = Self(SigningKey::from_bytes(&seed));
        file.replace(&key.written()).map_err(|error| trouble(&error))?;
        // Somebody may have drawn one at the same time: what is kept counts.
        let text = file.read().map_err(|error| trouble(&error))?.unwrap_or_default();
        Self::parse(&text).ok_or_else(|| trouble(&"it changed meanwhile; try again"))
    }

    /// The id of this machine.
    pub(super) fn id(&self) -> DeviceId {
        self.public().device_id()
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// The signature over a text, base64url.
    pub(super) fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.0.sign(text.as_bytes()).to_bytes())
    }

    /// The private half is what counts: the id and the public half follow from it.
    fn parse(text: &str) -> Option<Self> {
        let kept: Kept = serde_json::from_str(text).ok()?;
        let body = kept.private_key_pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?;
        let body = body.strip_suffix("-----END PRIVATE KEY-----")?;
        let der = STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()?;
        let seed: [u8; 32] = der.strip_prefix(&PRIVATE_HEAD)?.try_into().ok()?;
        let key = Self(SigningKey::from_bytes(&seed));
        (kept.version == 1 && PublicKey::parse(&kept.public_key_pem)? == key.public()).then_some(key)
    }

    fn written(&self) -> String {
        let pem = |kind: &str, head: &[u8], key: &[u8; 32]| {
            let body = STANDARD.encode([head, key].concat());
            format!("-----BEGIN {kind} KEY-----\n{body}\n-----END {kind} KEY-----\n")
        };
        let kept = Kept {
            version: 1,
            device_id: self.id().to_string(),
            public_key_pem: pem("PUBLIC", &PUBLIC_HEAD, &self.0.verifying_key().to_bytes()),
            private_key_pem: pem("PRIVATE", &PRIVATE_HEAD, &self.0.to_bytes()),
            created_at_ms: SystemClock.now().as_millis(),
        };
        // Texts and numbers can't fail to be written.
        serde_json::to_string_pretty(&kept).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_key_is_drawn_once_and_is_its_owners_alone() {
        let state = tempfile::tempdir().unwrap();
        let key = Key::of(state.path()).unwrap();
        assert_eq!(Key::of(state.path()).unwrap().id(), key.id());
        let path = state.path().join("identity/device.json");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert!(Key::of(other.path()).unwrap().id() != key.id());
    }

    #[test]
    fn i7_what_is_damaged_is_not_written_over() {
        let state = tempfile::tempdir().unwrap();
        Key::of(state.path()).unwrap();
        let path = state.path().join("identity/device.json");
        let whole = std::fs::read_to_string(&path).unwrap();
        let other = tempfile::tempdir().unwrap();
        Key::of(other.path()).unwrap();
        let others = std::fs::read_to_string(other.path().join("identity/device.json")).unwrap();
        let public = |text: &str| text.lines().find(|line| line.contains("publicKeyPem")).unwrap().to_owned();
        let mixed = whole.replace(&public(&whole), &public(&others));
        for damaged in ["", "{}", "null", &whole[..whole.len() / 2], &whole.replace("1,", "2,"), &mixed] {
            let file = SideFile::new(state.path(), FOLDER, "device.json", LIMIT);
            file.replace(damaged).unwrap();
            assert!(Key::of(state.path()).is_err(), "{damaged}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
    }
}
