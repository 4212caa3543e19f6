//! Whispers of ours.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError, TextKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::Twitch;
use super::event::user_id;
use crate::api::unsent;

/// When the next whisper may go.
#[derive(Default)]
pub(super) struct Sending(Mutex<Option<Instant>>);

impl Sending {
    /// Waits for our turn; the next one's is `pace` later.
    pub(super) async fn turn(&self, pace: Duration) {
        let mut next = self.0.lock().await;
        let turn = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        *next = Some(turn + pace);
        drop(next);
        sleep_until(turn).await;
    }
}

impl Twitch {
    /// Sends one text, unless that many users were written to today that Twitch would shut us out.
    pub(super) async fn whisper(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let impossible = |reason: &str| SendError::Impossible { reason: reason.to_owned() };
        let to = user_id(route.as_str()).ok_or_else(|| impossible("this is no way to a user"))?;
        if text.body.trim().is_empty() {
            return Err(impossible("there is nothing in the text"));
        }
        let me = match self.me() {
            Some(me) => me,
            // Nothing was sent yet.
            None => self.identify().await.map_err(|fault| unsent(fault.outcome(|_, _| false)))?,
        };
        let (now, mut may) = (self.world.clock.now(), Ok(()));
        let is_stranger = text.kind == TextKind::Challenge;
        self.kept.change(|place| may = place.add(to, is_stranger, now)).await;
        if let Err(wait) = may {
            let reason =
                "Twitch allows 40 users a day to be written to, 20 of them may be strangers, and they \
                          were; the next one has to wait"
                    .to_owned();
            return Err(SendError::Failed { reason, retry_after: Some(wait) });
        }
        self.sending.turn(self.pace.whisper).await;
        let sent = self.helix.whisper(&me.user_id, to, &text.body).await;
        sent.map_err(|fault| fault.outcome(is_hopeless))?;
        if text.kind != TextKind::Reply {
            let account = &self.meta.account;
            tracing::info!(%account, user = to, "Twitch took a {:?}; it does not say whether it arrived", text.kind);
        }
        Ok(())
    }
}

/// Whether a refusal is for good: the user is gone, or takes no whispers from strangers; the text is not one. That our own
/// number is not verified (401), or that we are shut out (403), the owner can mend.
fn is_hopeless(code: i64, description: &str) -> bool {
    code == 404 || code == 400 && !description.contains("from_user_id")
}
