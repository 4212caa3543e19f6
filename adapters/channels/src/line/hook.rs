//! Events by web hook, and how LINE learns where to call.

use bytes::Bytes;
use dmgate::{ChannelError, ChannelStatus, InboundMessage, Inbox, Webhook};
use http::StatusCode;
use http::request::Parts;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Line, event};
use crate::api::ApiError;
use crate::life::{End, stay_connected};
use crate::signature::Signature;
use crate::webhook::{header, is_post, json, whole};

/// The signature that is in a head, or the status for one that has none.
pub(super) fn signature_in(head: &Parts) -> Result<&str, StatusCode> {
    is_post(head)?;
    header(head, "x-line-signature")
}

impl Line {
    /// Tells LINE where to call us, and waits for the end. The web hook stays.
    pub(super) async fn register(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        stay_connected(&self.world, self.pace.retry, &self.status, shutdown, || async move {
            tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                called = self.is_called() => match called {
                    Ok(true) => {}
                    Ok(false) => {
                        let told = "LINE does not call: switch on `Use webhook` in the console, under `Messaging API`";
                        return End::Lost(told.to_owned());
                    }
                    Err(error) => return end(&error),
                },
            }
            self.status.set(ChannelStatus::Ready);
            inbox.reachable(&self.meta.account);
            shutdown.cancelled().await;
            End::Stopped
        })
        .await
    }

    /// Whether LINE calls us, once it was told where if it did not know.
    async fn is_called(&self) -> Result<bool, ApiError> {
        let hook = self.api.webhook().await?;
        if hook.as_ref().is_some_and(|hook| hook.endpoint == self.url) {
            return Ok(hook.is_some_and(|hook| hook.active));
        }
        if let Some(other) = hook {
            tracing::warn!(
                account = %self.meta.account,
                "LINE called another address, `{}`; from now on it calls us",
                dmgate::escape(&other.endpoint)
            );
        }
        self.api.set_webhook(&self.url).await?;
        // It may take a moment until it says so itself.
        Ok(self.api.webhook().await?.is_none_or(|hook| hook.active))
    }

    /// One call of LINE's. None of its events is noted before the whole is proven.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let mut answer = Webhook::status(StatusCode::OK);
        let said = |event: &Value| Some((Some(event::id(event)?.to_owned()), self.parse(event)?));
        let messages: Vec<_> = self.events(request)?.iter().filter_map(said).collect();
        self.memory.answer(&mut answer, messages).await?;
        Ok(answer)
    }

    /// The events in a request that is signed; none are in a trial of the console's.
    // INVARIANT I14: what LINE did not sign is not parsed.
    fn events(&self, request: http::Request<Bytes>) -> Result<Vec<Value>, StatusCode> {
        let (head, body) = request.into_parts();
        let signature = signature_in(&head)?;
        let body = whole(body)?;
        if !Signature::hmac(&self.secret, &[&body]).is_base64(signature) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        match json(&body)?.get_mut("events").map(Value::take) {
            Some(Value::Array(events)) => Ok(events),
            _ => Err(StatusCode::BAD_REQUEST),
        }
    }

    fn parse(&self, event: &Value) -> Option<InboundMessage> {
        let account = &self.meta.account;
        let tell = |reason: &&str| tracing::debug!(%account, "an event is dropped: {reason}");
        event::parse(account, event).inspect_err(tell).ok()
    }
}

/// What an error means for us.
fn end(error: &ApiError) -> End {
    error.end(|_, code, _| (code == 401).then_some("check `channel_access_token`"))
}
