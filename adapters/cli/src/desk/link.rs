//! A connection to another gateway: its challenge, our proof, and calls.

use dmgate::device::{Claim, GatewayUrl, Signed};
use dmgate::{Clock, SystemClock};
use dmgate_channels::Secret;
use dmgate_channels::socket::{Frame, Socket, SocketAddress};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::key::Key;
use super::tokens::{Granted, ROLE};

/// An open connection that we are let in on.
pub(super) struct Link {
    socket: Socket,
    calls: u64,
}

/// What we show beside our key.
pub(super) enum Shows {
    /// The gateway's token.
    Token(Secret),
    /// The gateway's password.
    Password(Secret),
    /// The token that it gave us.
    DeviceToken(Secret),
}

/// Why there is no answer.
pub(super) enum Refusal {
    /// The connection is none, or broke.
    Lost(String),
    /// The owner there has to approve this request first.
    NotPaired(Option<String>),
    /// The gateway says no: a fixed word, and a text.
    Said { code: String, message: String },
    /// What it gave us can't be kept.
    Kept(String),
}

/// What we ask for, as the established command line does.
const SCOPES: [&str; 5] =
    ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"];

/// The version of the protocol.
const PROTOCOL: u32 = 3;

/// Our program and what kind it is, in the words of the protocol.
const CLIENT: &str = "cli";

/// A message of the gateway.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Event {
        event: String,
        #[serde(default)]
        payload: Value,
    },
    Res {
        id: String,
        ok: bool,
        #[serde(default)]
        payload: Value,
        #[serde(default)]
        error: Value,
    },
    #[serde(other)]
    Other,
}

impl Link {
    /// Connects, proves who we are, and is let in; and the token that we were given.
    pub(super) async fn open(
        url: &GatewayUrl,
        key: &Key,
        shows: &Shows,
    ) -> Result<(Self, Option<Granted>), Refusal> {
        let address = SocketAddress::parse(url.as_str()).map_err(Refusal::Lost)?;
        let socket = Socket::open(&address).await.map_err(|end| Refusal::Lost(end.to_string()))?;
        let mut link = Self { socket, calls: 0 };
        let nonce = loop {
            if let Said::Event { event, payload } = link.next().await?
                && event == "connect.challenge"
            {
                break payload.get("nonce").and_then(Value::as_str).unwrap_or_default().to_owned();
            }
        };
        let hello = link.call("connect", introduction(key, shows, &nonce)).await?;
        let auth = hello.get("auth").filter(|auth| auth.get("role").is_none_or(|role| role == ROLE));
        let token = auth.and_then(|auth| auth.get("deviceToken")).and_then(Value::as_str);
        let scopes = auth.and_then(|auth| auth.get("scopes")).cloned().unwrap_or_else(|| json!([]));
        Ok((link, token.map(|token| Granted { token: Secret::new(token), scopes })))
    }

    /// Calls a method; events that come in between are not for us.
    pub(super) async fn call(&mut self, method: &str, parameters: Value) -> Result<Value, Refusal> {
        self.calls += 1;
        let wanted = self.calls.to_string();
        let question = json!({ "type": "req", "id": wanted, "method": method, "params": parameters });
        self.socket.send(question.to_string()).await.map_err(|end| Refusal::Lost(end.to_string()))?;
        loop {
            match self.next().await? {
                Said::Res { id, ok: true, payload, .. } if id == wanted => return Ok(payload),
                Said::Res { id, error, .. } if id == wanted => return Err(Refusal::of(&error)),
                _ => {}
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        self.socket.close(1000).await;
    }

    async fn next(&mut self) -> Result<Said, Refusal> {
        match self.socket.next().await {
            Ok(Frame::Text(text)) => serde_json::from_str(&text)
                .map_err(|_| Refusal::Lost("what answers there is no gateway that we know".to_owned())),
            Ok(Frame::Binary(_)) => Ok(Said::Other),
            Err(end) => Err(Refusal::Lost(end.to_string())),
        }
    }
}

impl Refusal {
    fn of(error: &Value) -> Self {
        let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
        let details = error.get("details").cloned().unwrap_or_default();
        let code = text(&details, "code").or_else(|| text(error, "code")).unwrap_or_default();
        if code == "PAIRING_REQUIRED" {
            return Self::NotPaired(text(&details, "requestId"));
        }
        Self::Said {
            code,
            message: text(error, "message").unwrap_or_else(|| "it does not say why".to_owned()),
        }
    }
}

/// The parameters of `connect`: who we are and what we want, signed together with the challenge.
fn introduction(key: &Key, shows: &Shows, nonce: &str) -> Value {
    let (shown, secret) = match shows {
        Shows::Token(secret) => ("token", secret.reveal()),
        Shows::Password(secret) => ("password", secret.reveal()),
        Shows::DeviceToken(secret) => ("deviceToken", secret.reveal()),
    };
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let scopes = SCOPES.map(str::to_owned);
    let signed = Signed {
        client_id: CLIENT,
        client_mode: CLIENT,
        role: ROLE,
        scopes: &scopes,
        // A password is not signed.
        token: if shown == "password" { "" } else { secret },
        platform,
        device_family: "",
    };
    let (id, public_key) = (key.id().to_string(), key.public().to_string());
    let signed_at = SystemClock.now().as_millis();
    let claim = Claim { id: &id, public_key: &public_key, signature: "", signed_at, nonce };
    let signature = key.sign(&signed.v3(&claim));
    json!({
        "minProtocol": PROTOCOL,
        "maxProtocol": PROTOCOL,
        "client": { "id": CLIENT, "mode": CLIENT, "version": env!("CARGO_PKG_VERSION"), "platform": platform },
        "role": ROLE,
        "scopes": scopes,
        "caps": [],
        "auth": Map::from_iter([(shown.to_owned(), secret.into())]),
        "device": {
            "id": id, "publicKey": public_key, "signature": signature, "signedAt": signed_at, "nonce": nonce,
        },
    })
}

#[cfg(test)]
mod tests {
    use dmgate::device::prove;

    use super::*;

    #[test]
    fn what_we_say_of_us_is_proven_by_the_rules_of_the_gateway() {
        let state = tempfile::tempdir().unwrap();
        let key = Key::of(state.path()).unwrap();
        for (shows, signed_token) in [
            (Shows::Token(Secret::new("shared")), "shared"),
            (Shows::Password(Secret::new("shared")), ""),
            (Shows::DeviceToken(Secret::new("own")), "own"),
        ] {
            let said = introduction(&key, &shows, "nonce");
            let device = &said["device"];
            let scopes = SCOPES.map(str::to_owned);
            let signed = Signed {
                client_id: "cli",
                client_mode: "cli",
                role: "operator",
                scopes: &scopes,
                token: signed_token,
                platform: said["client"]["platform"].as_str().unwrap(),
                device_family: "",
            };
            let claim = Claim {
                id: device["id"].as_str().unwrap(),
                public_key: device["publicKey"].as_str().unwrap(),
                signature: device["signature"].as_str().unwrap(),
                signed_at: device["signedAt"].as_i64().unwrap(),
                nonce: device["nonce"].as_str().unwrap(),
            };
            assert_eq!(prove(&claim, &signed, "nonce", SystemClock.now()).unwrap().id(), key.id());
        }
    }
}
