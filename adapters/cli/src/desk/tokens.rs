//! The token that another gateway gave to this machine, in the established form: `identity/device-auth.json`. We note beside
//! it whose it is, and show it to nobody else.

use std::path::Path;

use dmgate::device::{DeviceId, GatewayUrl};
use dmgate::store::SideFile;
use dmgate::{Clock, SystemClock};
use dmgate_channels::Secret;
use serde_json::{Map, Value, json};

use super::key::{FOLDER, Key, LIMIT};
use crate::failure::Failure;

/// The file.
pub(super) struct Tokens {
    file: SideFile,
    device: DeviceId,
}

/// A token that was given to us, and what it may do.
pub(super) struct Granted {
    pub(super) token: Secret,
    pub(super) scopes: Value,
}

/// We are an operator and nothing else.
pub(super) const ROLE: &str = "operator";

impl Tokens {
    pub(super) fn of(state_dir: &Path, key: &Key) -> Self {
        Self { file: SideFile::new(state_dir, FOLDER, "device-auth.json", LIMIT), device: key.id() }
    }

    /// The token that this gateway gave us.
    pub(super) fn read(&self, gateway: &GatewayUrl) -> Result<Option<Secret>, Failure> {
        let tokens = self.tokens().map_err(Failure::store)?;
        let held = tokens.get(ROLE).filter(|held| held.get("gateway") == Some(&gateway.as_str().into()));
        Ok(held.and_then(|held| held.get("token")).and_then(Value::as_str).map(Secret::new))
    }

    /// Keeps what a gateway gave us, in the place of what another one did.
    pub(super) fn keep(&self, gateway: &GatewayUrl, granted: &Granted) -> Result<(), String> {
        let mut tokens = self.tokens()?;
        let mut entry = json!({
            "token": granted.token.reveal(), "role": ROLE, "scopes": granted.scopes, "gateway": gateway.as_str(),
        });
        let is_same =
            |held: &Value| ["token", "scopes", "gateway"].iter().all(|key| held.get(key) == entry.get(key));
        if tokens.get(ROLE).is_some_and(is_same) {
            return Ok(());
        }
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("updatedAtMs".to_owned(), SystemClock.now().as_millis().into());
        }
        tokens.insert(ROLE.to_owned(), entry);
        let document = json!({ "version": 1, "deviceId": self.device, "tokens": tokens });
        // Texts and numbers can't fail to be written.
        let text = serde_json::to_string_pretty(&document).unwrap_or_default() + "\n";
        self.file.replace(&text).map_err(|error| error.to_string())
    }

    /// All of our tokens; none where the file is another device's, or says nothing: it costs showing the gateway's own
    /// secret once more.
    fn tokens(&self) -> Result<Map<String, Value>, String> {
        let text = self.file.read().map_err(|error| error.to_string())?.unwrap_or_default();
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        let is_ours = document.get("version") == Some(&1.into())
            && document.get("deviceId").and_then(Value::as_str) == Some(&self.device.to_string());
        let tokens = document.get("tokens").and_then(Value::as_object);
        Ok(tokens.filter(|_| is_ours).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_to_the_gateway_that_gave_it_and_to_no_other() {
        let state = tempfile::tempdir().unwrap();
        let key = Key::of(state.path()).unwrap();
        let tokens = Tokens::of(state.path(), &key);
        let (one, other) = ("wss://one.example".parse().unwrap(), "wss://other.example".parse().unwrap());
        let path = state.path().join("identity/device-auth.json");
        let read = |gateway| tokens.read(gateway).unwrap().map(|token| token.reveal().to_owned());
        assert_eq!(read(&one), None);
        // As the neighbour writes it: whose the token is it does not say.
        let theirs = json!({
            "version": 1, "deviceId": key.id(),
            "tokens": { "operator": { "token": "t0", "role": "operator", "scopes": [], "updatedAtMs": 1 },
                        "node": { "token": "n" } },
        });
        tokens.file.replace(&theirs.to_string()).unwrap();
        assert_eq!(read(&one), None);
        let granted = Granted { token: Secret::new("t1"), scopes: json!(["operator.read"]) };
        tokens.keep(&one, &granted).unwrap();
        assert_eq!((read(&one).as_deref(), read(&other)), (Some("t1"), None));
        let written = std::fs::read_to_string(&path).unwrap();
        let kept: Value = serde_json::from_str(&written).unwrap();
        assert_eq!((kept["tokens"]["node"]["token"].as_str(), written.ends_with("}\n")), (Some("n"), true));
        tokens.keep(&one, &granted).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written, "nothing new, nothing written");
        let stranger = tempfile::tempdir().unwrap();
        let stranger = Tokens { file: tokens.file.clone(), device: Key::of(stranger.path()).unwrap().id() };
        assert!(stranger.read(&one).unwrap().is_none(), "another device's");
    }
}
