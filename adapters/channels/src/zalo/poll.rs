//! Updates by long poll.

use std::time::Duration;

use dmgate::{ChannelError, ChannelStatus, Inbox};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Zalo, mark};
use crate::api::{ApiError, Trouble};
use crate::backoff::wait;
use crate::life::{End, stay_connected};

impl Zalo {
    /// Asks for updates until `shutdown`.
    pub(super) async fn poll(&self, inbox: &Inbox, shutdown: &CancellationToken) -> Result<(), ChannelError> {
        stay_connected(&self.world, self.pace.retry, &self.status, shutdown, || async move {
            let ended = tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                ready = self.make_ready() => ready,
            };
            match ended {
                Err(error) => Self::end(&error),
                Ok(()) => {
                    self.status.set(ChannelStatus::Ready);
                    inbox.reachable(&self.meta.account);
                    self.listen(inbox, shutdown).await
                }
            }
        })
        .await
    }

    /// Learns whether we are welcome, and removes a web hook, beside which no poll is answered.
    async fn make_ready(&self) -> Result<(), ApiError> {
        self.api.call("getMe", &json!({})).await?;
        let hook = match self.api.call("getWebhookInfo", &json!({})).await {
            Ok(hook) => hook,
            // There is none.
            Err(ApiError { trouble: Trouble::Refused { code: 400 | 404, .. }, .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if hook.get("url").and_then(Value::as_str).is_some_and(|url| !url.is_empty()) {
            tracing::warn!(account = %self.meta.account, "the bot has a web hook; it is removed to poll");
            self.api.call("deleteWebhook", &json!({})).await?;
        }
        Ok(())
    }

    /// One poll after another, each after the gate has taken what the one before brought.
    async fn listen(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        loop {
            let asked = Instant::now();
            let answer = tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                answer = self.updates() => answer,
            };
            let updates = match answer {
                Ok(updates) => updates,
                Err(error) => return Self::end(&error),
            };
            for update in &updates {
                if let Some(message) = self.parse(update)
                    && mark(&message).is_none_or(|id| self.seen.is_new(id))
                    && !inbox.deliver(message).await
                {
                    return End::Stopped;
                }
            }
            // Who says at once that there is nothing is not asked again at once.
            let is_idle = updates.is_empty() && asked.elapsed() < Duration::from_secs(1);
            if is_idle && !wait(self.pace.retry.0, shutdown).await {
                return End::Stopped;
            }
        }
    }

    /// What there is: one update as a rule, nothing after a while.
    async fn updates(&self) -> Result<Vec<Value>, ApiError> {
        // A text, by its documents.
        let parameters = json!({ "timeout": self.pace.poll.as_secs().to_string() });
        match self.api.call_slow("getUpdates", &parameters, self.pace.poll).await {
            Ok(Value::Array(updates)) => Ok(updates),
            Ok(Value::Null) => Ok(Vec::new()),
            Ok(Value::Object(update)) if update.is_empty() => Ok(Vec::new()),
            Ok(update) => Ok(vec![update]),
            // So it says that there was nothing.
            Err(ApiError { trouble: Trouble::Refused { code: 408, .. }, .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What an error means for the connection.
    pub(super) fn end(error: &ApiError) -> End {
        if let Trouble::Refused { code: 409, description, .. } = &error.trouble {
            return End::Lost(format!(
                "another program receives for this bot; stop it or use a bot of its own ({description})"
            ));
        }
        let mend = "check `token` (Zalo Bot Creator shows it) and `api_base`";
        error.end(|_, code, _| matches!(code, 401 | 404).then_some(mend))
    }
}
