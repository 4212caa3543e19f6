//! Calls of the NAS's.

use bytes::Bytes;
use dmgate::{ChannelError, ChannelStatus, Conversation, InboundMessage, Inbox, ReplyRoute, Webhook};
use http::StatusCode;
use tokio_util::sync::CancellationToken;

use super::{SynologyChat, event};
use crate::api::{ApiError, Trouble};
use crate::backoff::insist;
use crate::life::{End, stay_connected};
use crate::webhook::{Form, is_post};

/// The longest body: the NAS takes no text that comes near it, and a form takes far more room than its bytes.
const BODY_LIMIT: usize = 64 * 1024;

impl SynologyChat {
    /// Sees that the NAS knows the bot, and waits for the end.
    pub(super) async fn attend(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        stay_connected(&self.world, self.retry, &self.status, shutdown, || async move {
            tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                asked = self.people.ask(&self.api) => if let Err(error) = asked {
                    return end(&error);
                }
            }
            self.status.set(ChannelStatus::Ready);
            inbox.reachable(&self.meta.account);
            shutdown.cancelled().await;
            End::Stopped
        })
        .await
    }

    /// One call. The answer is empty: what is in it would be posted.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let form = self.proven(request)?;
        let mut answer = Webhook::status(StatusCode::OK);
        match event::parse(&self.meta.account, &form) {
            Ok(message) => {
                if let Some(claim) = self.seen.claim(message.message_id.clone())? {
                    let name = form.get("username").unwrap_or_default();
                    claim.answer(&mut answer, self.place(message, name).await);
                }
            }
            Err(reason) => tracing::debug!(account = %self.meta.account, "a call is dropped: {reason}"),
        }
        Ok(answer)
    }

    // INVARIANT I14: nothing of a call counts that does not hold the token, once.
    fn proven(&self, request: http::Request<Bytes>) -> Result<Form, StatusCode> {
        let (head, body) = request.into_parts();
        is_post(&head)?;
        if body.len() > BODY_LIMIT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Form::proven(&body, "token", &self.token)
    }

    /// A conversation is one-to-one only if a text to the sender's number reaches the sender.
    // INVARIANT I16: a number that may be somebody else's is no way to anybody.
    async fn place(&self, mut message: InboundMessage, name: &str) -> InboundMessage {
        if message.conversation != Conversation::Direct {
            return message;
        }
        let number = super::send::user(&message.route).unwrap_or_default();
        let ask = || self.people.is(&self.api, number, name);
        let is_known = insist(&self.world, self.retry, ask).await;
        if let Ok(true) = is_known {
            return message;
        }
        let reason = is_known.err().map_or_else(
            || {
                "the NAS has nobody of this name under this number; does an outgoing web hook call?"
                    .to_owned()
            },
            |error| error.to_string(),
        );
        tracing::warn!(account = %self.meta.account, "a message is not answered: {reason}");
        message.conversation = Conversation::Unknown;
        message.route = ReplyRoute::default();
        message
    }
}

/// What an error means for us.
fn end(error: &ApiError) -> End {
    match &error.trouble {
        Trouble::Refused { code: 404, .. } => End::Refused(format!("{error}; check `token`")),
        Trouble::Refused { code: 102..=104, .. } => End::Refused(format!("{error}; check `base_url`")),
        Trouble::Refused { retry_after: Some(asked), .. } => End::Slow(error.to_string(), *asked),
        _ => End::Lost(error.to_string()),
    }
}
