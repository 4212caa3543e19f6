//! `dmgate admit`: one real admission, for shell scripts.

use std::process::ExitCode;

use clap::Args;
use dmgate::{Conversation, Decision, InboundMessage, Sender, SenderId, Strength};
use serde::Serialize;

use crate::context::{self, Context};
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate admit mybot 12345678 --name Ann --json
  reply=$(dmgate admit mybot \"$sender\"); test $? = 10 && send \"$sender\" \"$reply\"

Exit codes: 0 admit, 10 challenge (the text for the sender is on stdout), 11 ignore, 12 unavailable.";

/// One real admission.
#[derive(Args, Debug)]
pub(crate) struct Admit {
    /// The channel the message came in on
    channel: String,
    /// The sender's id, as the platform gives it
    sender: String,
    /// The account it came in on
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The sender's name, for your listings
    #[arg(long)]
    name: Option<String>,
    /// It was said in a group
    #[arg(long)]
    group: bool,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// The answer, as scripts read it.
#[derive(Serialize)]
struct Answer<'a> {
    decision: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(rename = "expiresAt", skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<&'a str>,
}

impl Admit {
    /// Does it. Exit codes: 0 admit, 10 challenge, 11 ignore, 12 unavailable.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let key = context::account_key(&self.channel, self.account.as_deref())?;
        // INVARIANT I15: an id that a platform gave is never stripped, so no id can pose as another.
        let id = SenderId::parse(key.channel(), &self.sender)?;
        let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, self.name.as_deref());
        let mut message = InboundMessage::direct(key.clone(), sender, "");
        if self.group {
            message.conversation = Conversation::Group;
        }
        let config = context.config()?;
        let store = match context.store_made(&config) {
            Ok(store) => store,
            Err(failure) => return Ok(self.unavailable(context, failure.message())),
        };
        let gate = context.gate(&config, store, &key);
        let decision = gate.admit(&message).await;
        self.print(context, &decision);
        Ok(match &decision {
            Decision::Admit(_) => ExitCode::SUCCESS,
            Decision::Ignore(_) => 11.into(),
            Decision::Unavailable(fault) => {
                context.terminal.trouble(format!("{fault}; `dmgate doctor` says more"));
                12.into()
            }
            // The gate gave the code to us, not to the outbox: a running `dmgate run` does not send it as well.
            Decision::Challenge(_) => 10.into(),
        })
    }

    fn print(&self, context: &mut Context, decision: &Decision) {
        let (word, reason) = (decision.as_str(), decision.reason().as_str());
        let challenge = match decision {
            Decision::Challenge(challenge) => Some(challenge),
            _ => None,
        };
        if self.json {
            let answer = Answer {
                decision: word,
                reason,
                code: challenge.map(|challenge| challenge.code.reveal()),
                expires_at: challenge.map(|challenge| challenge.expires_at.to_string()),
                reply: challenge.map(|challenge| challenge.reply.as_str()),
            };
            print_line(context, &answer);
        } else if let Some(challenge) = challenge {
            context.terminal.line(&challenge.reply);
        } else {
            context.terminal.line(format!("{word} ({reason})"));
        }
    }

    fn unavailable(&self, context: &mut Context, why: &str) -> ExitCode {
        let (decision, reason) = ("unavailable", "store_unreadable");
        if self.json {
            print_line(context, &Answer { decision, reason, code: None, expires_at: None, reply: None });
        } else {
            context.terminal.line(format!("{decision} ({reason})"));
        }
        context.terminal.trouble(why);
        12.into()
    }
}

fn print_line(context: &mut Context, answer: &Answer<'_>) {
    match serde_json::to_string(answer) {
        Ok(line) => context.terminal.line(line),
        Err(error) => context.terminal.trouble(error),
    }
}
