//! The gate of one account, and the slow way to a decision.

use std::sync::Arc;

use super::account::Account;
use super::{DmGate, Verdict, ignore, refuse_envelope};
use crate::decision::{Decision, Fault};
use crate::message::InboundMessage;
use crate::pairing::Handover;

/// The gate of one account: an adapter that serves one holds it and saves the look-up.
#[derive(Clone)]
pub struct AccountHandle {
    pub(super) gate: DmGate,
    pub(super) account: Arc<Account>,
}

/// How often a decision is asked again because the state changed under it, before it is given up.
const ROUNDS: usize = 16;

impl AccountHandle {
    /// As [`DmGate::admit`].
    pub async fn admit(&self, message: &InboundMessage) -> Decision {
        if message.account == self.account.key {
            self.decide(message, Handover::Caller).await
        } else {
            self.gate.admit(message).await
        }
    }

    /// As [`DmGate::admit_now`].
    pub fn admit_now(&self, message: &InboundMessage) -> Option<Decision> {
        if message.account == self.account.key {
            self.gate.decide_now(&self.account, message)
        } else {
            self.gate.admit_now(message)
        }
    }

    /// As [`AccountHandle::admit`] for this account's messages; a code is put into the store's outbox with the request.
    pub(crate) async fn admit_for_outbox(&self, message: &InboundMessage) -> Decision {
        self.decide(message, Handover::Outbox).await
    }

    async fn decide(&self, message: &InboundMessage, handover: Handover) -> Decision {
        match self.gate.decide_now(&self.account, message) {
            Some(decision) => decision,
            None => self.gate.decide_slowly(&self.account, message, handover).await,
        }
    }
}

impl DmGate {
    /// Reads what changed, and does the transactions. Each round rests on a state that existed after the message came;
    /// another is needed only when someone changed it meanwhile.
    pub(super) async fn decide_slowly(
        &self,
        account: &Account,
        message: &InboundMessage,
        handover: Handover,
    ) -> Decision {
        for _ in 0..ROUNDS {
            let state = account.load().await;
            // The policy may be another one than at the first look.
            if let Some(reason) = refuse_envelope(message, &state.policy) {
                return account.told(message, ignore(reason));
            }
            let outcome = match self.weigh(&account.key, message, &state) {
                Verdict::Admit(reason) => return account.let_in(message, reason),
                Verdict::Ignore(reason) => return account.told(message, ignore(reason)),
                Verdict::Unavailable(fault) => return account.told(message, Decision::Unavailable(fault)),
                Verdict::Bind(alias) => {
                    let primary = message.sender.primary();
                    self.0.store.bind(&account.key, alias, primary).await.map(|_| None)
                }
                Verdict::Knock => self.knock(account, message, state.policy.given.limits(), handover).await,
            };
            match outcome {
                Ok(Some(decision)) => return account.told(message, decision),
                Ok(None) => {}
                Err(error) => return account.told(message, Decision::Unavailable(error.into())),
            }
        }
        let fault = Fault::locked("the state changed again and again while it was read; try again");
        account.told(message, Decision::Unavailable(fault))
    }
}
