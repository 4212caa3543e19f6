//! `dmgate block`: senders who never get a code.

use clap::Subcommand;
use dmgate::escape;
use dmgate::store::Store;
use serde::Serialize;

use super::allow::{List, One};
use crate::context::{self, Context};
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate block list telegram
  dmgate block add telegram 12345678
  dmgate block remove telegram 12345678";

/// Blocked senders.
#[derive(Subcommand, Debug)]
pub(crate) enum Block {
    /// List the blocked senders of an account
    #[command(after_help = "Example:\n  dmgate block list telegram --json")]
    List(List),
    /// Block a sender; a pending request of theirs is closed, and its slot is free
    #[command(after_help = "Example:\n  dmgate block add telegram 12345678")]
    Add(One),
    /// End a block
    #[command(after_help = "Example:\n  dmgate block remove telegram 12345678")]
    Remove(One),
}

/// The blocked senders of an account, as scripts read them.
#[derive(Serialize)]
struct Listing<'a> {
    channel: &'a str,
    #[serde(rename = "accountId")]
    account: &'a str,
    blocked: Vec<&'a str>,
}

impl Block {
    /// Does it.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => show(&list, context).await,
            Self::Add(one) => add(&one, context).await,
            Self::Remove(one) => remove(&one, context).await,
        }
    }
}

async fn show(list: &List, context: &mut Context) -> Result<(), Failure> {
    let key = context::account_key(&list.channel, list.account.as_deref())?;
    let blocked = context.store(&context.config()?)?.blocked(&key).await?;
    if list.json {
        let blocked = blocked.iter().map(dmgate::SenderId::as_str).collect();
        let (channel, account) = (key.channel().as_str(), key.account().as_str());
        context.terminal.json(&Listing { channel, account, blocked });
        return Ok(());
    }
    if blocked.is_empty() {
        context.terminal.line(format!("Nobody is blocked on {key}."));
    }
    for sender in blocked {
        context.terminal.line(escape(sender.as_str()));
    }
    Ok(())
}

async fn add(one: &One, context: &mut Context) -> Result<(), Failure> {
    let (key, sender) = one.parse()?;
    let config = context.config()?;
    let new = context.store_made(&config)?.block(&key, &sender, &context::actor()).await?;
    let (channel, id) = (key.channel(), escape(sender.as_str()));
    context.terminal.line(match new {
        true => format!("Blocked {channel} sender {id}."),
        false => format!("{channel} sender {id} was blocked already."),
    });
    Ok(())
}

async fn remove(one: &One, context: &mut Context) -> Result<(), Failure> {
    let (key, sender) = one.parse()?;
    let was = context.store(&context.config()?)?.unblock(&key, &sender, &context::actor()).await?;
    let (channel, id) = (key.channel(), escape(sender.as_str()));
    if !was {
        return Err(Failure::refused(format!(
            "{channel} sender {id} is not blocked on {key}; `dmgate block list {channel}` shows who is"
        )));
    }
    context.terminal.line(format!("Unblocked {channel} sender {id}."));
    Ok(())
}
