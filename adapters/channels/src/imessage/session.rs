//! One run of `imsg`, from its first word to its last.

use std::pin::pin;
use std::time::Duration;

use dmgate::{ChannelStatus, Inbox};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Imessage, message, send};
use crate::bridge::{Link, Overflow, Speaker, pulse};
use crate::life::End;
use crate::rpc::Notification;

/// How long `imsg` may take to open the database, on a Mac that may be asleep.
const BEGIN: Duration = Duration::from_secs(60);

/// Not at once: Messages writes a message in several steps.
const DEBOUNCE_MILLIS: u64 = 500;

/// What we listen to: a subscription's number, and the number of the last message before it.
struct Watch {
    subscription: Value,
    after: i64,
}

impl Imessage {
    /// One run, until it ends or `shutdown`.
    pub(super) async fn converse(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let opened = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            opened = self.means.open("imsg", Overflow::Stop, &self.programs) => opened,
        };
        let mut link = match opened {
            Ok(link) => link,
            Err(reason) => return End::Lost(reason),
        };
        let watch = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            watch = self.subscribe(&link.speaker) => watch,
        };
        let end = match watch {
            Ok(watch) => {
                self.line.lead_to(Some(link.speaker.clone()));
                self.status.set(ChannelStatus::Ready);
                inbox.reachable(&self.meta.account);
                self.listen(&mut link, watch, inbox, shutdown).await
            }
            Err(end) => end,
        };
        match end {
            End::Stopped => self.line.keep(link.into_guard()),
            _ => {
                self.line.lead_to(None);
                // One that hangs is still there.
                link.end().await;
            }
        }
        end
    }

    /// Asks for what came after the last message that was taken, and for what comes.
    async fn subscribe(&self, speaker: &Speaker) -> Result<Watch, End> {
        let mut place = self.kept.get().await;
        if place.newest == 0 {
            // What was sent long before the first start is no news.
            place.newest = self.world.clock.now().as_millis();
            self.kept.note(|kept| kept.newest = place.newest).await;
        }
        let mut params =
            json!({ "attachments": true, "include_reactions": false, "debounce_ms": DEBOUNCE_MILLIS });
        if let (1.., Some(params)) = (place.rowid, params.as_object_mut()) {
            params.insert("since_rowid".to_owned(), place.rowid.into());
        }
        match speaker.call("watch.subscribe", &params, BEGIN).await {
            Ok(mut said) => {
                let subscription = said.get_mut("subscription").map(Value::take).unwrap_or_default();
                Ok(Watch { subscription, after: place.rowid })
            }
            Err(error) => Err(End::Lost(format!(
                "{}; see that `imsg` may read the disk (Full Disk Access) and control Messages (Automation)",
                send::told(&error)
            ))),
        }
    }

    /// Hands on what is said, until it ends or `shutdown`. At a shutdown the program stays, for the answers that are still
    /// to be given.
    async fn listen(
        &self,
        link: &mut Link,
        mut watch: Watch,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> End {
        // It has no ping; this costs it least.
        let mut pulse = pin!(pulse(link.speaker.clone(), "chats.list", json!({ "limit": 1 })));
        loop {
            let said = tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                () = &mut pulse => return End::Lost("imsg does not answer".to_owned()),
                said = link.hear() => said,
            };
            let Some(said) = said else { return End::Lost(format!("imsg {}", link.ended().await)) };
            if let Err(end) = self.hear(said, &watch, inbox).await {
                return end;
            }
            if link.has_gap() {
                // More came than could be worked off: what was not heard is asked for again.
                let params = json!({ "subscription": watch.subscription });
                let _ = link.speaker.call("watch.unsubscribe", &params, BEGIN).await;
                link.hear_again();
                watch = match self.subscribe(&link.speaker).await {
                    Ok(watch) => watch,
                    Err(end) => return end,
                };
            }
        }
    }

    async fn hear(&self, said: Notification, watch: &Watch, inbox: &Inbox) -> Result<(), End> {
        let Notification { method, params, .. } = said;
        if params.get("subscription") != Some(&watch.subscription) {
            return Ok(());
        }
        match (method.as_str(), params.get("message")) {
            ("message", Some(said)) => self.take(said, watch, inbox).await,
            ("error", _) => Err(End::Lost("imsg stopped watching".to_owned())),
            _ => Ok(()),
        }
    }

    /// Takes a message, and notes that it was taken.
    async fn take(&self, said: &Value, watch: &Watch, inbox: &Inbox) -> Result<(), End> {
        let account = &self.meta.account;
        let Some(rowid) = message::rowid(said) else { return Ok(()) };
        if rowid <= watch.after {
            return Ok(());
        }
        let newest = self.kept.look(|place| place.newest).await;
        let mut sent = 0;
        match message::read(account, self.takes_sms, newest, said) {
            Err(reason) => tracing::debug!(%account, "a message is dropped: {reason}"),
            Ok(message) => {
                sent = message.sent_at.map_or(0, dmgate::Timestamp::as_millis);
                let key = message.message_id.clone().unwrap_or_else(|| rowid.to_string());
                let is_new = !message.event.acts() || self.seen.is_new(key);
                if is_new && !inbox.deliver(message).await {
                    // It comes again in the next run.
                    return Err(End::Stopped);
                }
            }
        }
        // A stamp of tomorrow would make today's messages old ones.
        let now = self.world.clock.now().as_millis();
        self.kept
            .change(|place| {
                place.rowid = place.rowid.max(rowid);
                place.newest = place.newest.max(sent.min(now));
            })
            .await;
        Ok(())
    }
}
