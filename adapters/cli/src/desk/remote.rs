//! The owner decides through another gateway, ours or OpenClaw's: as a device of the role `operator`, with a key of its own.

use std::time::Duration;

use dmgate::device::{GatewayUrl, without_secrets};
use dmgate::escape;
use dmgate_channels::Secret;
use serde_json::{Value, json};

use super::key::Key;
use super::link::{Link, Refusal, Shows};
use super::tokens::Tokens;
use super::{Listing, Order};
use crate::arguments::Where;
use crate::context::Context;
use crate::failure::Failure;

/// Another gateway.
pub(crate) struct Remote {
    url: GatewayUrl,
    shows: Shows,
    key: Key,
    tokens: Tokens,
    patience: Duration,
}

/// How long a call may take, where nobody says.
const PATIENCE: Duration = Duration::from_secs(10);

impl Remote {
    /// The gateway that was named; `None` if none was.
    pub(super) fn open(place: &Where, context: &Context) -> Result<Option<Self>, Failure> {
        let Some(url) = &place.url else { return Ok(None) };
        let url: GatewayUrl = url.parse().map_err(|error| Failure::usage(format!("{error}")))?;
        let key = Key::of(&context.state_dir)?;
        let tokens = Tokens::of(&context.state_dir, &key);
        let shows = match (&place.token, &place.password) {
            (Some(token), _) => Shows::Token(typed(&token.0, "--token")?),
            (None, Some(password)) => Shows::Password(typed(&password.0, "--password")?),
            (None, None) => Shows::DeviceToken(tokens.read(&url)?.ok_or_else(|| {
                Failure::usage(format!(
                    "this machine has no token of its own for {url} yet; give the gateway's with --token or \
                     --password, once"
                ))
            })?),
        };
        let patience = place.timeout.map_or(PATIENCE, Duration::from_millis);
        Ok(Some(Self { url, shows, key, tokens, patience }))
    }

    pub(super) async fn devices(&self) -> Result<Listing, Failure> {
        let told = self.call("device.pair.list", json!({})).await?;
        Ok(Listing { told: without_secrets(told), trouble: None })
    }

    pub(super) async fn nodes(&self) -> Result<Value, Failure> {
        // OpenClaw tells the tokens of nodes.
        Ok(without_secrets(self.call("node.pair.list", json!({})).await?))
    }

    pub(super) async fn tell(&self, order: Order) -> Result<Value, Failure> {
        let is_handed_out = matches!(order, Order::RotateToken(..) | Order::ApproveNode(_));
        let (method, parameters) = match order {
            Order::ApproveDevice(id) => ("device.pair.approve", json!({ "requestId": id })),
            Order::RejectDevice(id) => ("device.pair.reject", json!({ "requestId": id })),
            Order::RemoveDevice(id) => ("device.pair.remove", json!({ "deviceId": id })),
            Order::RotateToken(id, role, None) => {
                ("device.token.rotate", json!({ "deviceId": id, "role": role }))
            }
            Order::RotateToken(id, role, Some(scopes)) => {
                ("device.token.rotate", json!({ "deviceId": id, "role": role, "scopes": scopes }))
            }
            Order::RevokeToken(id, role) => ("device.token.revoke", json!({ "deviceId": id, "role": role })),
            Order::ApproveNode(id) => ("node.pair.approve", json!({ "requestId": id })),
            Order::RejectNode(id) => ("node.pair.reject", json!({ "requestId": id })),
            Order::RenameNode(id, name) => ("node.rename", json!({ "nodeId": id, "displayName": name })),
        };
        let answer = self.call(method, parameters).await?;
        Ok(if is_handed_out { answer } else { without_secrets(answer) })
    }

    /// One call on a connection of its own: the owner may think for long between two.
    async fn call(&self, method: &str, parameters: Value) -> Result<Value, Failure> {
        match tokio::time::timeout(self.patience, self.converse(method, parameters)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(self.failure(&refusal)),
            Err(_) => {
                let millis = self.patience.as_millis();
                Err(Failure::refused(format!("{} did not answer within {millis} ms", self.url)))
            }
        }
    }

    async fn converse(&self, method: &str, parameters: Value) -> Result<Value, Refusal> {
        let (mut link, granted) = Link::open(&self.url, &self.key, &self.shows).await?;
        if let Some(granted) = granted {
            self.tokens.keep(&self.url, &granted).map_err(Refusal::Kept)?;
        }
        let answer = link.call(method, parameters).await;
        link.close().await;
        answer
    }

    fn failure(&self, refusal: &Refusal) -> Failure {
        let url = &self.url;
        match refusal {
            Refusal::Lost(why) => Failure::refused(format!("{url}: {why}")),
            Refusal::Kept(error) => Failure::store(error.clone()),
            Refusal::NotPaired(request) => {
                let request = request.as_deref().map_or_else(
                    || "too many devices ask there; try again later".to_owned(),
                    |id| format!("there, type `devices approve {}`, and then this again here", escape(id)),
                );
                Failure::refused(format!(
                    "{url} does not know this machine yet, which is device {}: {request}",
                    self.key.id()
                ))
            }
            Refusal::Said { code, message } => {
                let mend = match (code.starts_with("AUTH_"), &self.shows) {
                    (true, Shows::DeviceToken(_)) => {
                        "; the token of this machine is good there no more: give the gateway's with --token or \
                         --password"
                    }
                    (true, _) => "; see whether --token or --password is the gateway's",
                    (false, _) => "",
                };
                Failure::refused(format!("{url} refuses: {} ({}){mend}", escape(message), escape(code)))
            }
        }
    }
}

/// A secret as it was typed.
fn typed(secret: &Secret, option: &str) -> Result<Secret, Failure> {
    match secret.reveal().trim() {
        "" => Err(Failure::usage(format!("{option} must not be empty"))),
        trimmed => Ok(Secret::new(trimmed)),
    }
}
