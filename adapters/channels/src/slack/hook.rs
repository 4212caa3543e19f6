//! Events by web hook.

use std::time::Duration;

use bytes::Bytes;
use dmgate::{ChannelError, Inbox, Timestamp, Webhook};
use http::StatusCode;
use http::request::Parts;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Slack;
use super::event::Reading;
use super::interaction::Command;
use crate::life::{End, stay_connected};
use crate::secret::Secret;
use crate::signature::{Signature, is_fresh, seconds};
use crate::webhook::{Form, header, is_post, json, text_answer, whole};

const STAMP: &str = "x-slack-request-timestamp";
const SIGNATURE: &str = "x-slack-signature";

/// How old a request may be; Slack's own rule.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// How Slack proves itself when it calls us.
pub(super) struct Hook {
    secret: Secret,
}

impl Hook {
    pub(super) fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// The status for a call that is not Slack's, or an old one, as its head shows.
    pub(super) fn refuses(&self, head: &Parts, now: Timestamp) -> Option<StatusCode> {
        signed(head, now).err()
    }

    /// The body of a call that Slack signed just now.
    // INVARIANT I14: the signature is over stamp and raw body, and what it does not fit is not looked at.
    fn verified(&self, request: http::Request<Bytes>, now: Timestamp) -> Result<(Parts, Bytes), StatusCode> {
        let (head, body) = request.into_parts();
        let (stamp, given) = signed(&head, now)?;
        let body = whole(body)?;
        let signature = Signature::hmac(&self.secret, &[b"v0:", stamp.as_bytes(), b":", &body]);
        if !signature.is_hex(given) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok((head, body))
    }
}

/// The stamp and the signature of a head that has both, once, and is fresh.
fn signed(head: &Parts, now: Timestamp) -> Result<(&str, &str), StatusCode> {
    is_post(head)?;
    let stamp = header(head, STAMP)?;
    let given = header(head, SIGNATURE)?.strip_prefix("v0=").ok_or(StatusCode::UNAUTHORIZED)?;
    let sent_at = seconds(stamp).ok_or(StatusCode::UNAUTHORIZED)?;
    if is_fresh(sent_at, now, WINDOW) { Ok((stamp, given)) } else { Err(StatusCode::UNAUTHORIZED) }
}

impl Slack {
    /// Finds out who we are, which is needed to tell who writes, and waits for the end.
    pub(super) async fn attend(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let attend = || async {
            if let Err(end) = self.recognise(shutdown).await {
                return end;
            }
            self.ready(inbox);
            shutdown.cancelled().await;
            End::Stopped
        };
        stay_connected(&self.world, self.retry, &self.status, shutdown, attend).await
    }

    /// One call of Slack's.
    pub(super) async fn take(&self, hook: &Hook, request: http::Request<Bytes>) -> Webhook {
        let (head, body) = match hook.verified(request, self.world.clock.now()) {
            Ok(verified) => verified,
            Err(refused) => return Webhook::status(refused),
        };
        let kind = head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let taken =
            if is_form { self.take_form(&Form::parse(&body)).await } else { self.take_json(&body).await };
        taken.unwrap_or_else(Webhook::status)
    }

    async fn take_json(&self, body: &[u8]) -> Result<Webhook, StatusCode> {
        let payload = json(body)?;
        let text = |name| payload.get(name).and_then(Value::as_str);
        match text("type").ok_or(StatusCode::BAD_REQUEST)? {
            "url_verification" => {
                text("challenge").map(|it| text_answer(it.to_owned())).ok_or(StatusCode::BAD_REQUEST)
            }
            "event_callback" => self.taken(|reading| reading.event(&payload)).await,
            "app_rate_limited" => {
                let account = &self.meta.account;
                tracing::warn!(%account, "Slack holds events back: too many came within an hour");
                Ok(Webhook::status(StatusCode::OK))
            }
            _ => Ok(Webhook::status(StatusCode::OK)),
        }
    }

    async fn take_form(&self, form: &Form) -> Result<Webhook, StatusCode> {
        match form.get("payload") {
            Some(payload) => {
                let payload = json(payload.as_bytes())?;
                self.taken(|reading| reading.interaction(&payload)).await
            }
            None if form.get("command").is_some() => {
                self.taken(|reading| reading.command(Command::of_form(form))).await
            }
            // Slack looks now and then whether our certificate is good.
            None if form.get("ssl_check").is_some() => Ok(Webhook::status(StatusCode::OK)),
            None => Err(StatusCode::BAD_REQUEST),
        }
    }

    async fn taken(
        &self,
        read: impl FnOnce(Reading<'_>) -> Result<super::Said, &'static str>,
    ) -> Result<Webhook, StatusCode> {
        // It comes again in a minute.
        let identity = self.identity.get().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let said = read(Reading { account: &self.meta.account, identity });
        let mut answer = Webhook::status(StatusCode::OK);
        if let Some((message, claim)) = self.settle(said).await? {
            claim.answer(&mut answer, message);
        }
        Ok(answer)
    }
}
