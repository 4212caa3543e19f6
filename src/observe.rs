//! What the gate says to the operator's log: who was let in or not, and why. Never a code, and of strangers' ids only
//! the ends.

use std::fmt;

use crate::decision::{Decision, Reason};
use crate::message::{InboundMessage, SenderId};

/// A stranger's id for the log: its first two and last two characters.
struct Shortened<'a>(&'a SenderId);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        let count = text.chars().count();
        if count < 7 {
            return f.write_str("…");
        }
        let head: String = text.chars().take(2).collect();
        let tail: String = text.chars().skip(count - 2).collect();
        write!(f, "{head}…{tail}")
    }
}

/// Someone is let in.
#[inline]
pub(crate) fn admitted(message: &InboundMessage, reason: Reason) {
    tracing::debug!(account = %message.account, %reason, "admitted");
}

/// Any other decision. Refusals are quiet, and trouble is loud only where `is_loud`: a flood of strangers must not become a
/// flood of lines.
pub(crate) fn decided(message: &InboundMessage, decision: &Decision, is_loud: impl FnOnce() -> bool) {
    let (account, sender) = (&message.account, Shortened(message.sender.primary()));
    match decision {
        Decision::Admit(permit) => admitted(message, permit.reason()),
        Decision::Challenge(challenge) => {
            let channel = account.channel();
            tracing::info!(
                %account, %sender, request = %challenge.request,
                "a new sender gets a code; `dmgate pairing list {channel}` shows who waits"
            );
        }
        Decision::Ignore(refusal) if refusal.reason == Reason::PendingFull => {
            tracing::debug!(%account, %sender, "ignored: all slots are taken; see `dmgate pairing list`");
        }
        Decision::Ignore(refusal) => tracing::debug!(%account, %sender, reason = %refusal.reason, "ignored"),
        Decision::Unavailable(fault) if !is_loud() => {
            tracing::debug!(%account, reason = %fault.reason(), "nobody is let in: {fault}");
        }
        Decision::Unavailable(fault) => {
            tracing::error!(%account, reason = %fault.reason(), "nobody is let in: {fault}; see `dmgate doctor`");
        }
    }
}
