//! Updates by long poll.

use std::time::Duration;

use dmgate::{ChannelError, ChannelStatus, Inbox};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Telegram, update};
use crate::api::{ApiError, Trouble};
use crate::backoff::{Backoff, wait};
use crate::life::LONGEST_ASKED;

impl Telegram {
    /// Asks for updates until `shutdown`.
    ///
    /// A poll carries an offset only while there is something to confirm: without one Telegram gives what is not
    /// confirmed, and an old offset would hide updates after a week of silence, when their ids start anew.
    pub(super) async fn poll(&self, inbox: &Inbox, shutdown: &CancellationToken) -> Result<(), ChannelError> {
        let mut backoff = Backoff::new(self.world.clone(), self.pace.first_retry, self.pace.longest_retry);
        let mut confirm = None;
        let mut is_connected = false;
        let mut may_unhook = true;
        while !shutdown.is_cancelled() {
            // The first poll returns at once: it shows whether we are welcome.
            let patience = if is_connected { self.pace.poll } else { Duration::ZERO };
            let answer = tokio::select! {
                () = shutdown.cancelled() => break,
                answer = self.updates(confirm, patience) => answer,
            };
            match answer {
                Ok(updates) => {
                    if !is_connected {
                        self.status.set(ChannelStatus::Ready);
                        inbox.reachable(&self.meta.account);
                    }
                    (is_connected, may_unhook, confirm) = (true, false, None);
                    backoff.reset();
                    if !self.deliver(&updates, &mut confirm, inbox, shutdown).await {
                        break;
                    }
                }
                Err(ApiError { trouble: Trouble::Refused { code: 409, description, .. }, .. })
                    if may_unhook && description.contains("webhook") =>
                {
                    // Once, at the start: later it would mean to fight with whoever sets it again.
                    may_unhook = false;
                    tracing::warn!(account = %self.meta.account, "the bot has a web hook; it is removed to poll");
                    let _ = self.api.call("deleteWebhook", &json!({ "drop_pending_updates": false })).await;
                }
                Err(error) => {
                    is_connected = false;
                    if !self.recover(&error, &mut backoff, shutdown).await? {
                        break;
                    }
                }
            }
        }
        if confirm.is_some() {
            // What was delivered must not come again. What this brings is not confirmed and does come again.
            if let Err(error) = self.updates(confirm, Duration::ZERO).await {
                tracing::warn!(account = %self.meta.account, "the last messages may come again: {error}");
            }
        }
        Ok(())
    }

    /// Hands updates on, one after another; `false` if the rest is left for the next run, since a shutdown began or
    /// nobody takes messages any more.
    async fn deliver(
        &self,
        updates: &[Value],
        confirm: &mut Option<i64>,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> bool {
        for update in updates {
            if shutdown.is_cancelled() {
                return false;
            }
            let id = update::id(update);
            if id.is_none_or(|id| self.seen.is_new(id))
                && let Some(message) = self.parse(update)
                && !inbox.deliver(message).await
            {
                return false;
            }
            // Only now: what is confirmed never comes again.
            if let Some(id) = id {
                *confirm = Some(id.saturating_add(1));
            }
        }
        true
    }

    async fn updates(&self, confirm: Option<i64>, patience: Duration) -> Result<Vec<Value>, ApiError> {
        let timeout = patience.as_secs();
        let parameters = match confirm {
            Some(offset) => {
                json!({ "offset": offset, "timeout": timeout, "allowed_updates": update::WANTED })
            }
            None => json!({ "timeout": timeout, "allowed_updates": update::WANTED }),
        };
        match self.api.call_slow("getUpdates", &parameters, patience).await? {
            Value::Array(updates)
                if updates.is_empty() || updates.iter().any(|update| update::id(update).is_some()) =>
            {
                Ok(updates)
            }
            // Without ids nothing could be confirmed, and the same would come again at once.
            _ => Err(self.api.lost("the answer holds no updates")),
        }
    }

    /// After an error: tells it and waits for the next try. `false` at a shutdown; an error if trying again won't help.
    pub(super) async fn recover(
        &self,
        error: &ApiError,
        backoff: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<bool, ChannelError> {
        let mut pause = backoff.next();
        let reason = match &error.trouble {
            // 404 is what the Bot API says of tokens that were never given out.
            Trouble::Refused { code: 401 | 404, .. } => {
                let reason = format!("{error}; check `token` (BotFather shows it) and `api_base`");
                self.status.set(ChannelStatus::Refused(reason.clone()));
                return Err(ChannelError(reason));
            }
            Trouble::Refused { code: 409, description, .. } => {
                format!(
                    "another program receives for this bot; stop it or use a bot of its own ({description})"
                )
            }
            Trouble::Refused { retry_after: Some(asked), .. } => {
                pause = pause.max((*asked).min(LONGEST_ASKED));
                error.to_string()
            }
            _ => error.to_string(),
        };
        self.status.set(ChannelStatus::Connecting(Some(reason)));
        Ok(wait(pause, shutdown).await)
    }
}
