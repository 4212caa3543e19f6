//! Events by web hook.

use std::time::Duration;

use bytes::Bytes;
use dmgate::{Timestamp, Webhook};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::api::As;
use super::auth::{Fault, HOUR, Me};
use super::config::Config;
use super::grant::{Subscription, fingerprint};
use super::socket::{revoked, unsubscribed};
use super::{Twitch, event};
use crate::adapter::Setup;
use crate::life::End;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::signature::{Signature, is_fresh};
use crate::webhook::{header, is_post, json, text_answer, whole};

const ID: &str = "twitch-eventsub-message-id";
const STAMP: &str = "twitch-eventsub-message-timestamp";
const SIGNATURE: &str = "twitch-eventsub-message-signature";
const TYPE: &str = "twitch-eventsub-message-type";

/// What is older may be a copy.
const FRESH: Duration = Duration::from_secs(600);

/// How long Twitch may take to call us after we subscribed.
const VERIFY: Duration = Duration::from_secs(60);

/// Where Twitch calls us, and how it proves itself.
pub(super) struct Hook {
    url: String,
    secret: Secret,
    standing: watch::Sender<Standing>,
}

/// How the subscription is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Standing {
    Awaited,
    Verified,
    Revoked(String),
}

impl Hook {
    pub(super) fn new(setup: &Setup, config: &Config) -> Result<Self, ConfigError> {
        let missing = |name, doc| ConfigError::Missing { name, doc };
        let secret = config.webhook_secret.clone().ok_or_else(|| {
            missing(
                "webhook_secret",
                "with `mode = \"webhook\"` it proves that the caller is Twitch; make one up",
            )
        })?;
        if !(10..=100).contains(&secret.reveal().len())
            || !secret.reveal().bytes().all(|byte| (0x20..0x7f).contains(&byte))
        {
            let reason = "10 to 100 ASCII characters are expected".to_owned();
            return Err(ConfigError::Invalid { name: "webhook_secret", reason });
        }
        if config.client_secret.is_none() {
            return Err(missing(
                "client_secret",
                "with `mode = \"webhook\"` the application subscribes, and shows it",
            ));
        }
        let url = setup.webhook_url().ok_or_else(|| {
            ConfigError::Setup(
                "web hooks need `public_url` in [gateway], where Twitch reaches us; or take `mode = \"socket\"`".to_owned(),
            )
        })?;
        Ok(Self { url, secret, standing: watch::Sender::new(Standing::Awaited) })
    }

    /// The status for a call that is not Twitch's, or is old, as its head shows.
    pub(super) fn refuses(&self, head: &Parts, now: Timestamp) -> Option<StatusCode> {
        Self::proof(head, now).err()
    }

    /// Waits until Twitch has called us with its challenge.
    async fn verification(&self) {
        let mut standing = self.standing.subscribe();
        let _ = standing.wait_for(|now| *now == Standing::Verified).await;
    }

    /// Waits until Twitch ends the subscription, and says why.
    async fn revocation(&self) -> String {
        let mut standing = self.standing.subscribe();
        let revoked = standing.wait_for(|now| matches!(now, Standing::Revoked(_))).await;
        match revoked.as_deref() {
            Ok(Standing::Revoked(status)) => status.clone(),
            _ => String::new(),
        }
    }

    fn is_revoked(&self) -> bool {
        matches!(*self.standing.borrow(), Standing::Revoked(_))
    }

    /// What stands in the head: id, stamp, signature in hex.
    // INVARIANT I14: what has no proof, or an old one, is refused before its body is looked at.
    fn proof(head: &Parts, now: Timestamp) -> Result<(&str, &str, &str), StatusCode> {
        is_post(head)?;
        let (id, stamp) = (header(head, ID)?, header(head, STAMP)?);
        let signature = header(head, SIGNATURE)?.strip_prefix("sha256=").ok_or(StatusCode::UNAUTHORIZED)?;
        let sent_at = Timestamp::parse(stamp).filter(|sent_at| is_fresh(*sent_at, now, FRESH));
        sent_at.filter(|_| !id.is_empty()).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok((id, stamp, signature))
    }
}

impl Twitch {
    /// Sees to it that Twitch calls us, and waits for the end. The subscription stays: Twitch repeats what we did not
    /// take until we are back.
    pub(super) async fn be_called(
        &self,
        hook: &Hook,
        me: &Me,
        ready: &(impl Fn() + Sync),
        shutdown: &CancellationToken,
    ) -> End {
        let subscribed = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            subscribed = self.subscribe(hook, me) => subscribed,
        };
        if let Err(end) = subscribed {
            return end;
        }
        ready();
        let mut validate = Instant::now() + HOUR;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                status = hook.revocation() => return revoked(&status),
                () = sleep_until(validate) => {
                    validate = Instant::now() + HOUR;
                    if let Err(end) = self.revalidate().await {
                        return end;
                    }
                }
            }
        }
    }

    /// Goes on with the subscription of an earlier run, or makes a new one in the place of whatever leads to us.
    async fn subscribe(&self, hook: &Hook, me: &Me) -> Result<(), End> {
        let own = self.kept.get().await.subscription;
        let secret = fingerprint(hook.secret.reveal());
        let own = own.filter(|own| own.secret == secret && !hook.is_revoked());
        let mut is_there = false;
        for listed in self.helix.subscriptions().await.map_err(Fault::end)? {
            if listed.transport.callback.as_deref() != Some(hook.url.as_str()) {
                continue;
            }
            let is_own = own.as_ref().is_some_and(|own| own.id == listed.id) && listed.status == "enabled";
            if is_own && listed.condition == json!({ "user_id": me.user_id }) {
                is_there = true;
            } else {
                self.helix.unsubscribe(&listed.id).await.map_err(Fault::end)?;
            }
        }
        if is_there {
            return Ok(());
        }
        hook.standing.send_replace(Standing::Awaited);
        let transport = json!({ "method": "webhook", "callback": hook.url, "secret": hook.secret.reveal() });
        let id = self.helix.subscribe(As::App, &me.user_id, transport).await.map_err(unsubscribed)?;
        if timeout(VERIFY, hook.verification()).await.is_err() {
            return Err(End::Lost(format!(
                "Twitch does not reach us at {}; it wants `https` and port 443",
                dmgate::escape(&hook.url)
            )));
        }
        self.kept.change(|place| place.subscription = Some(Subscription { id, secret })).await;
        Ok(())
    }

    /// One call of Twitch's.
    pub(super) fn take(&self, hook: &Hook, request: http::Request<Bytes>) -> Webhook {
        self.taken(hook, request).unwrap_or_else(Webhook::status)
    }

    fn taken(&self, hook: &Hook, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let (head, body) = request.into_parts();
        let (id, stamp, signature) = Hook::proof(&head, self.world.clock.now())?;
        let body = whole(body)?;
        if !Signature::hmac(&hook.secret, &[id.as_bytes(), stamp.as_bytes(), &body]).is_hex(signature) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let payload: Value = json(&body)?;
        match header(&head, TYPE)? {
            "webhook_callback_verification" => {
                let challenge =
                    payload.get("challenge").and_then(Value::as_str).ok_or(StatusCode::BAD_REQUEST)?;
                hook.standing.send_replace(Standing::Verified);
                Ok(text_answer(challenge.to_owned()))
            }
            "notification" => {
                // Until we know who we are, Twitch has to come again.
                let me = self.me().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
                let mut answer = Webhook::status(StatusCode::NO_CONTENT);
                let message =
                    event::parse(&self.meta.account, &me.user_id, &payload, Timestamp::parse(stamp));
                match message {
                    Ok(message) => self.seen.answer(&mut answer, Some(id.to_owned()), message)?,
                    Err(reason) => {
                        tracing::debug!(account = %self.meta.account, "an event is dropped: {reason}");
                    }
                }
                Ok(answer)
            }
            "revocation" => {
                let status =
                    payload.pointer("/subscription/status").and_then(Value::as_str).unwrap_or_default();
                hook.standing.send_replace(Standing::Revoked(status.to_owned()));
                Ok(Webhook::status(StatusCode::NO_CONTENT))
            }
            _ => Ok(Webhook::status(StatusCode::NO_CONTENT)),
        }
    }
}
