//! Updates by web hook.

use bytes::Bytes;
use dmgate::{ChannelError, ChannelStatus, Inbox, Webhook};
use http::StatusCode;
use http::request::Parts;
use tokio_util::sync::CancellationToken;

use super::{Telegram, is_word, update};
use crate::adapter::Setup;
use crate::backoff::Backoff;
use crate::options::ConfigError;
use crate::secret::Secret;
use crate::webhook::{json, proven_by_header, verified_by_header};

/// The header that carries the secret.
const HEADER: &str = "x-telegram-bot-api-secret-token";

/// Where Telegram calls us, and how it proves itself.
pub(super) struct Hook {
    url: String,
    secret: Secret,
}

impl Hook {
    pub(super) fn new(setup: &Setup, secret: Option<Secret>) -> Result<Self, ConfigError> {
        let secret = secret.ok_or(ConfigError::Missing {
            name: "webhook_secret",
            doc: "with `mode = \"webhook\"` it proves that the caller is Telegram; make one up",
        })?;
        if !is_word(secret.reveal()) || secret.reveal().len() > 256 {
            return Err(ConfigError::Invalid {
                name: "webhook_secret",
                reason: "1 to 256 of the characters A-Z a-z 0-9 _ - are expected".to_owned(),
            });
        }
        let url = setup.webhook_url().ok_or_else(|| {
            ConfigError::Setup(
                "web hooks need `public_url` in [gateway], where Telegram reaches us; or take `mode = \"poll\"`"
                    .to_owned(),
            )
        })?;
        Ok(Self { url, secret })
    }

    /// The status for a call that is not Telegram's, as its head shows.
    pub(super) fn refuses(&self, head: &Parts) -> Option<StatusCode> {
        proven_by_header(head, HEADER, Some(&self.secret)).err()
    }
}

impl Telegram {
    /// Tells Telegram where to call us, and waits for the end. The web hook stays: Telegram keeps what comes in until
    /// we are back.
    pub(super) async fn register(
        &self,
        hook: &Hook,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let parameters = serde_json::json!({
            "url": hook.url,
            "secret_token": hook.secret.reveal(),
            "allowed_updates": update::WANTED,
        });
        let mut backoff = Backoff::new(self.world.clone(), self.pace.first_retry, self.pace.longest_retry);
        loop {
            let answer = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                answer = self.api.call("setWebhook", &parameters) => answer,
            };
            match answer {
                Ok(_) => break,
                Err(error) => {
                    if !self.recover(&error, &mut backoff, shutdown).await? {
                        return Ok(());
                    }
                }
            }
        }
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
        shutdown.cancelled().await;
        Ok(())
    }

    /// One call of Telegram's.
    pub(super) fn take(&self, hook: &Hook, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let body = verified_by_header(request, HEADER, Some(&hook.secret))?;
        let update = json(&body)?;
        let id = update::id(&update).ok_or(StatusCode::BAD_REQUEST)?;
        let mut answer = Webhook::status(StatusCode::OK);
        if let Some(message) = self.parse(&update) {
            self.seen.answer(&mut answer, Some(id), message)?;
        }
        Ok(answer)
    }
}
