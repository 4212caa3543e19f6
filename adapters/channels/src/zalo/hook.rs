//! Updates by web hook.

use bytes::Bytes;
use dmgate::{ChannelError, ChannelStatus, Inbox, Webhook};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Zalo, mark};
use crate::adapter::Setup;
use crate::life::{End, stay_connected};
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::webhook::{self, proven_by_header, verified_by_header};

/// The header that carries the secret.
const HEADER: &str = "x-bot-api-secret-token";

/// Where Zalo calls us, and how it proves itself.
pub(super) struct Hook {
    url: String,
    secret: Secret,
}

impl Hook {
    pub(super) fn new(setup: &Setup, secret: Option<Secret>) -> Result<Self, ConfigError> {
        let secret = secret.ok_or(ConfigError::Missing {
            name: "webhook_secret",
            doc: "with `mode = \"webhook\"` it proves that the caller is Zalo; make one up",
        })?;
        let is_plain = secret.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || !(8..=256).contains(&secret.reveal().len()) {
            return Err(ConfigError::Invalid {
                name: "webhook_secret",
                reason: "8 to 256 letters, digits and signs without blanks are expected".to_owned(),
            });
        }
        let url = setup.webhook_url().ok_or_else(|| {
            ConfigError::Setup(
                "web hooks need `public_url` in [gateway], where Zalo reaches us over `https`; or take \
                 `mode = \"poll\"`"
                    .to_owned(),
            )
        })?;
        Ok(Self { url, secret })
    }

    /// The status for a call that is not Zalo's, as its head shows.
    pub(super) fn refuses(&self, head: &Parts) -> Option<StatusCode> {
        proven_by_header(head, HEADER, Some(&self.secret)).err()
    }
}

impl Zalo {
    /// Tells Zalo where to call us, and waits for the end. The web hook stays.
    pub(super) async fn register(
        &self,
        hook: &Hook,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let place = json!({ "url": hook.url, "secret_token": hook.secret.reveal() });
        let place = &place;
        stay_connected(&self.world, self.pace.retry, &self.status, shutdown, || async move {
            tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                answer = self.api.call("setWebhook", place) => if let Err(error) = answer {
                    return Self::end(&error);
                }
            }
            self.status.set(ChannelStatus::Ready);
            inbox.reachable(&self.meta.account);
            shutdown.cancelled().await;
            End::Stopped
        })
        .await
    }

    /// One call of Zalo's: an update, or an update in the clothes of an answer.
    pub(super) fn take(&self, hook: &Hook, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let body = verified_by_header(request, HEADER, Some(&hook.secret))?;
        let Value::Object(mut update) = webhook::json(&body)? else { return Err(StatusCode::BAD_REQUEST) };
        let update = update.remove("result").unwrap_or(Value::Object(update));
        let mut answer = Webhook::status(StatusCode::OK);
        if let Some(message) = self.parse(&update) {
            self.seen.answer(&mut answer, mark(&message), message)?;
        }
        Ok(answer)
    }
}
