//! What a client says to be let in: the parameters of `connect`, protocol version 3.

use std::collections::BTreeMap;

use dmgate::device::{Claim, Description, Signed};
use serde::Deserialize;
use serde_json::Value;

/// The parameters of `connect`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connect {
    pub(crate) min_protocol: u32,
    pub(crate) max_protocol: u32,
    pub(crate) client: Client,
    #[serde(default)]
    pub(crate) caps: Vec<String>,
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    #[serde(default)]
    pub(crate) permissions: BTreeMap<String, bool>,
    #[serde(rename = "pathEnv")]
    _path_env: Option<String>,
    pub(crate) role: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    pub(crate) device: Option<Device>,
    #[serde(default)]
    pub(crate) auth: Auth,
    #[serde(rename = "locale")]
    _locale: Option<String>,
    #[serde(rename = "userAgent")]
    _user_agent: Option<String>,
}

/// The program at the other end.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) version: String,
    pub(crate) platform: String,
    pub(crate) device_family: Option<String>,
    pub(crate) model_identifier: Option<String>,
    pub(crate) mode: String,
    #[serde(rename = "instanceId")]
    pub(crate) instance_id: Option<String>,
}

/// Who it says it is, and the proof.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Device {
    id: String,
    public_key: String,
    signature: String,
    signed_at: i64,
    nonce: String,
}

/// What it shows.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Auth {
    pub(crate) token: Option<String>,
    pub(crate) bootstrap_token: Option<String>,
    pub(crate) device_token: Option<String>,
    pub(crate) password: Option<String>,
}

/// Parameters that the protocol does not know. What was in them is not said: a secret may be among it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid connect params: {0}")]
pub struct BadConnect(&'static str);

/// The programs that the protocol knows.
const CLIENTS: [&str; 13] = [
    "webchat-ui",
    "openclaw-control-ui",
    "openclaw-tui",
    "webchat",
    "cli",
    "gateway-client",
    "openclaw-macos",
    "openclaw-ios",
    "openclaw-android",
    "node-host",
    "test",
    "fingerprint",
    "openclaw-probe",
];

const MODES: [&str; 7] = ["webchat", "cli", "ui", "backend", "node", "probe", "test"];

impl Connect {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`BadConnect`] for anything that the protocol does not know or that is missing.
    pub fn parse(params: Value) -> Result<Self, BadConnect> {
        let connect: Self = serde_json::from_value(params)
            .map_err(|_| BadConnect("they are not as version 3 of the protocol has them"))?;
        let Client { id, version, platform, mode, .. } = &connect.client;
        let some = |text: &Option<String>| text.as_deref() != Some("");
        let Client { display_name, device_family, model_identifier, instance_id, .. } = &connect.client;
        let optional = [display_name, device_family, model_identifier, instance_id, &connect.role];
        let lists = [&connect.caps, &connect.commands, &connect.scopes];
        let rules = [
            (CLIENTS.contains(&&**id), "at /client/id: no client that is known"),
            (MODES.contains(&&**mode), "at /client/mode: no mode that is known"),
            (!version.is_empty(), "at /client/version: must not be empty"),
            (!platform.is_empty(), "at /client/platform: must not be empty"),
            (optional.into_iter().all(some), "what is optional is left out, not empty"),
            (!lists.into_iter().flatten().any(String::is_empty), "a list holds an empty text"),
            (connect.min_protocol >= 1 && connect.max_protocol >= 1, "versions of the protocol begin with 1"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(BadConnect(why)),
            None => Ok(connect),
        }
    }

    /// Whether it is a page in a browser, which shows its `Origin`.
    pub(crate) fn is_page(&self) -> bool {
        matches!(&*self.client.id, "openclaw-control-ui" | "webchat-ui" | "webchat")
            || self.client.mode == "webchat"
    }

    pub(crate) fn description(&self) -> Description {
        let Client { id, display_name, platform, device_family, mode, .. } = self.client.clone();
        let (platform, client_id, client_mode) = (Some(platform), Some(id), Some(mode));
        Description { display_name, platform, device_family, client_id, client_mode }.cut()
    }

    /// What is under the signature beside the claim.
    pub(crate) fn signed<'a>(&'a self, role: &'a str) -> Signed<'a> {
        let Auth { token, device_token, bootstrap_token, .. } = &self.auth;
        let shown = token.as_deref().or(device_token.as_deref()).or(bootstrap_token.as_deref());
        Signed {
            client_id: &self.client.id,
            client_mode: &self.client.mode,
            role,
            scopes: &self.scopes,
            token: shown.unwrap_or_default(),
            platform: &self.client.platform,
            device_family: self.client.device_family.as_deref().unwrap_or_default(),
        }
    }
}

impl Device {
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim {
            id: &self.id,
            public_key: &self.public_key,
            signature: &self.signature,
            signed_at: self.signed_at,
            nonce: self.nonce.trim(),
        }
    }
}

impl Auth {
    /// A credential that is there; blank ones are none.
    pub(crate) fn shown(credential: Option<&String>) -> Option<&str> {
        credential.map(String::as_str).filter(|text| !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain() -> Value {
        let client = json!({ "id": "node-host", "version": "1", "platform": "linux", "mode": "node" });
        json!({ "minProtocol": 3, "maxProtocol": 3, "client": client, "role": "node", "scopes": [], "caps": ["x"] })
    }

    #[test]
    fn what_the_protocol_does_not_know_is_refused() {
        assert!(Connect::parse(plain()).is_ok());
        let mut bad = Vec::new();
        for (pointer, value) in [
            ("/client/id", json!("my-client")),
            ("/client/mode", json!("god")),
            ("/client/version", json!("")),
            ("/client/platform", json!(1)),
            ("/role", json!("")),
            ("/scopes", json!([""])),
            ("/scopes", json!("operator.read")),
            ("/minProtocol", json!(0)),
            ("/maxProtocol", json!(-1)),
            ("/caps", json!([1])),
        ] {
            let mut params = plain();
            *params.pointer_mut(pointer).unwrap() = value;
            bad.push(params);
        }
        for (pointer, name) in [("", "more"), ("/client", "more")] {
            let mut params = plain();
            params.pointer_mut(pointer).unwrap()[name] = json!(1);
            bad.push(params);
        }
        let mut auth = plain();
        auth["auth"] = json!({ "secret": "x" });
        bad.extend([auth, Value::Null, json!([]), json!({})]);
        for params in bad {
            assert!(Connect::parse(params.clone()).is_err(), "{params}");
        }
    }

    #[test]
    fn i12_what_was_said_is_not_repeated() {
        let mut params = plain();
        params["auth"] = json!({ "token": 5, "password": "hunter2" });
        params["scopes"] = json!("hunter2");
        let error = Connect::parse(params).err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
