//! `dmgate explain`: what `admit` would say, and why.

use clap::Args;
use dmgate::{InboundMessage, Sender, SenderId};
use serde::Serialize;

use crate::context::{self, Context};
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate explain telegram 12345678
  dmgate explain signal +4915112345678 --account work --json";

/// What `admit` would say.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The channel
    channel: String,
    /// The sender's id on the channel
    sender: String,
    /// The account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The explanation, as scripts read it.
#[derive(Serialize)]
struct Answer<'a> {
    decision: &'a str,
    reason: &'a str,
    policy: &'a str,
    #[serde(rename = "restsOn")]
    rests_on: &'a str,
    mend: &'a [String],
}

impl Explain {
    /// Does it; nothing is changed.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let key = context::account_key(&self.channel, self.account.as_deref())?;
        let id = SenderId::parse_entry(key.channel(), &self.sender)?;
        let config = context.config()?;
        let gate = context.gate(&config, context.store(&config)?, &key);
        let message = InboundMessage::direct(key.clone(), Sender::new(id.clone()), "");
        let explanation = gate.explain(&message).await;
        let policy = config.policy_of(&key);
        let answer = Answer {
            decision: explanation.decision,
            reason: explanation.reason.as_str(),
            policy: policy.dm().as_str(),
            rests_on: &explanation.rests_on,
            mend: &explanation.mend,
        };
        if self.json {
            context.terminal.json(&answer);
            return Ok(());
        }
        let (id, terminal) = (dmgate::escape(id.as_str()), &mut context.terminal);
        terminal.line(format!("A message of {id} to {key}: {} ({})", answer.decision, answer.reason));
        terminal.line(format!("  policy:    {}", answer.policy));
        terminal.line(format!("  rests on:  {}", answer.rests_on));
        for (number, step) in answer.mend.iter().enumerate() {
            terminal.line(format!("  {} {step}", if number == 0 { "to change:" } else { "          " }));
        }
        if let Some(listed) = config.listed(&key).iter().find(|listed| listed.value.as_str() == id) {
            terminal.line(format!("  listed at: {}", listed.origin));
        }
        Ok(())
    }
}
