//! Events by web hook.

use std::time::Duration;

use bytes::Bytes;
use dmgate::{ChannelError, Inbox, Timestamp, Webhook};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::encryption::decrypt;
use super::{Config, Feishu, api, event};
use crate::Secret;
use crate::life::{End, stay_connected};
use crate::signature::{Signature, is_fresh};
use crate::webhook::{header, is_post, json as json_of, json_answer, whole};

const STAMP: &str = "x-lark-request-timestamp";
const NONCE: &str = "x-lark-request-nonce";
const SIGNATURE: &str = "x-lark-signature";

/// How old an event may be: Feishu sends it for the last time after some six and a half hours. What is older is a copy. It
/// is not the stamp of the request that is looked at, whose form Feishu has changed, but what is signed with it.
const WINDOW: Duration = Duration::from_secs(8 * 3_600);

/// How Feishu proves itself when it calls us.
pub(super) struct Hook {
    key: Option<Secret>,
    token: Option<Secret>,
}

impl Hook {
    pub(super) fn new(config: &Config) -> Self {
        Self { key: config.encrypt_key.clone(), token: config.verification_token.clone() }
    }

    /// The status for a call that is not Feishu's, as its head shows. A question for the challenge has no signature.
    pub(super) fn refuses(&self, head: &Parts) -> Option<StatusCode> {
        is_post(head).err().or_else(|| self.signed_parts(head).err())
    }

    /// What a head is signed with, where it is; an error for one that is half signed.
    fn signed_parts<'a>(&self, head: &'a Parts) -> Result<Option<[&'a str; 3]>, StatusCode> {
        let names = [STAMP, NONCE, SIGNATURE];
        if self.key.is_none() || names.iter().all(|name| !head.headers.contains_key(*name)) {
            return Ok(None);
        }
        let [stamp, nonce, signature] = names.map(|name| header(head, name));
        Ok(Some([stamp?, nonce?, signature?]))
    }

    /// What Feishu says in a call.
    // INVARIANT I14: the signature is over the raw body, everything that is configured must be right, and what is not
    // signed is no event.
    fn verified(&self, request: http::Request<Bytes>, now: Timestamp) -> Result<Value, StatusCode> {
        let (head, body) = request.into_parts();
        is_post(&head)?;
        let signed = self.signed_parts(&head)?;
        let body = whole(body)?;
        if let (Some(key), Some([stamp, nonce, given])) = (&self.key, signed) {
            let parts = [stamp.as_bytes(), nonce.as_bytes(), key.reveal().as_bytes(), &body];
            if !Signature::sha256(key, &parts).is_hex(given) {
                return Err(StatusCode::UNAUTHORIZED);
            }
        }
        let outer = json_of(&body)?;
        let encrypted = outer.get("encrypt").and_then(Value::as_str);
        let is_encrypted = encrypted.is_some();
        let said = match encrypted {
            Some(encrypted) => self.key.as_ref().and_then(|key| decrypt(key, encrypted)),
            None => Some(outer),
        };
        let said = said.ok_or(StatusCode::UNAUTHORIZED)?;
        let given = said.get("header").and_then(|header| header.get("token")).or_else(|| said.get("token"));
        let given = given.and_then(Value::as_str).unwrap_or_default();
        if self.token.as_ref().is_some_and(|token| !token.is(given.as_bytes())) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let is_proven = match said.get("type").and_then(Value::as_str) {
            // Only who has the key can encrypt a question.
            Some("url_verification") => self.key.is_none() || signed.is_some() || is_encrypted,
            _ => (self.key.is_none() || signed.is_some()) && is_recent(&said, now)?,
        };
        if is_proven { Ok(said) } else { Err(StatusCode::UNAUTHORIZED) }
    }
}

fn is_recent(said: &Value, now: Timestamp) -> Result<bool, StatusCode> {
    event::made_at(said).map(|made| is_fresh(made, now, WINDOW)).ok_or(StatusCode::BAD_REQUEST)
}

impl Feishu {
    /// Finds out who we are, which shows whether we are welcome, and waits for the end.
    pub(super) async fn attend(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let attend = || async {
            let known = tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                known = self.recognise() => known,
            };
            if let Err(error) = known {
                return api::end(&error);
            }
            self.ready(inbox);
            shutdown.cancelled().await;
            End::Stopped
        };
        stay_connected(&self.world, self.retry, &self.status, shutdown, attend).await
    }

    /// One call of Feishu's.
    pub(super) async fn take(
        &self,
        hook: &Hook,
        request: http::Request<Bytes>,
    ) -> Result<Webhook, StatusCode> {
        let said = hook.verified(request, self.world.clock.now())?;
        if said.get("type").and_then(Value::as_str) == Some("url_verification") {
            let challenge = said.get("challenge").and_then(Value::as_str).ok_or(StatusCode::BAD_REQUEST)?;
            return Ok(json_answer(&json!({ "challenge": challenge })));
        }
        let mut answer = json_answer(&json!({}));
        if let Some((message, claim)) = self.read(&said).await? {
            claim.answer(&mut answer, message);
        }
        Ok(answer)
    }
}
