//! `dmgate allow`: the approved senders of an account.

use clap::{Args, Subcommand};
use dmgate::store::{Revoked, Store};
use dmgate::{AccountKey, DmPolicy, SenderId, escape};
use serde::Serialize;

use crate::config::Config;
use crate::context::{self, Context};
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate allow list telegram
  dmgate allow add telegram 12345678
  dmgate allow remove signal +4915112345678 --account work";

/// Approved senders.
#[derive(Subcommand, Debug)]
pub(crate) enum Allow {
    /// List the approved senders of an account, and those that the configuration lists
    #[command(after_help = "Example:\n  dmgate allow list telegram --json")]
    List(List),
    /// Let a sender in without a code
    #[command(after_help = "Example:\n  dmgate allow add telegram 12345678")]
    Add(One),
    /// Revoke a sender: out of the list, and out of the pending requests
    #[command(after_help = "Example:\n  dmgate allow remove telegram 12345678")]
    Remove(One),
}

/// An account.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The channel
    pub(crate) channel: String,
    /// The account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// One sender of an account.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// The channel
    pub(crate) channel: String,
    /// The sender's id on the channel
    pub(crate) sender: String,
    /// The account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
}

impl One {
    /// The account and the sender, parsed.
    pub(crate) fn parse(&self) -> Result<(AccountKey, SenderId), Failure> {
        let key = context::account_key(&self.channel, self.account.as_deref())?;
        let sender = SenderId::parse_entry(key.channel(), &self.sender)?;
        Ok((key, sender))
    }
}

impl Allow {
    /// Does it.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.execute(context).await,
            Self::Add(one) => add(&one, context).await,
            Self::Remove(one) => remove(&one, context).await,
        }
    }
}

/// The senders of an account, as scripts read them.
#[derive(Serialize)]
struct Listing<'a> {
    channel: &'a str,
    #[serde(rename = "accountId")]
    account: &'a str,
    policy: &'a str,
    approved: &'a [String],
    configured: Vec<&'a str>,
}

impl List {
    async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let key = context::account_key(&self.channel, self.account.as_deref())?;
        let config = context.config()?;
        let approved = context.store(&config)?.allowed(&key).await?;
        let policy = config.policy_of(&key);
        let everyone = policy.everyone().then_some("*");
        let configured = policy.allow_from().iter().map(SenderId::as_str).chain(everyone).collect();
        let (channel, account) = (key.channel().as_str(), key.account().as_str());
        let listing =
            Listing { channel, account, policy: policy.dm().as_str(), approved: &approved, configured };
        if self.json {
            context.terminal.json(&listing);
            return Ok(());
        }
        if listing.approved.is_empty() && listing.configured.is_empty() {
            context.terminal.line(format!("Nobody is allowed on {key} yet."));
        }
        for sender in listing.approved {
            context.terminal.line(escape(sender));
        }
        for sender in listing.configured {
            context.terminal.line(format!("{} (configuration)", escape(sender)));
        }
        context.note_what_does_not_count(&config, &key);
        Ok(())
    }
}

async fn add(one: &One, context: &mut Context) -> Result<(), Failure> {
    if one.sender.trim() == "*" {
        return Err(Failure::refused(
            "`*` is never stored; if everyone may write, say dm_policy = \"open\" and allow_from = [\"*\"] in the configuration",
        ));
    }
    let (key, sender) = one.parse()?;
    let config = context.config()?;
    let new = context.store_made(&config)?.allow(&key, &sender, &context::actor()).await?;
    let (channel, id) = (key.channel(), escape(sender.as_str()));
    context.terminal.line(match new {
        true => format!("Added {channel} sender {id}."),
        false => format!("{channel} sender {id} was allowed already."),
    });
    context.note_what_does_not_count(&config, &key);
    Ok(())
}

async fn remove(one: &One, context: &mut Context) -> Result<(), Failure> {
    let (key, sender) = one.parse()?;
    let config = context.config()?;
    let store = context.store(&config)?;
    let revoked = store.revoke(&key, &sender, &context::actor()).await?;
    let (channel, id) = (key.channel(), escape(sender.as_str()));
    if revoked.entries > 0 || revoked.requests > 0 {
        context.terminal.line(format!("Removed {channel} sender {id}."));
    }
    if let Some(why) = still_in(&store, &config, &key, &sender, &revoked).await {
        return Err(Failure::refused(format!("{channel} sender {id} is still let in: {why}")));
    }
    if revoked.entries == 0 && revoked.requests == 0 {
        return Err(Failure::refused(format!(
            "{channel} sender {id} is not on the list of {key}; `dmgate allow list {channel}` shows who is"
        )));
    }
    Ok(())
}

/// What still lets a revoked sender in, and what to do about it.
async fn still_in(
    store: &impl Store,
    config: &Config,
    key: &AccountKey,
    sender: &SenderId,
    revoked: &Revoked,
) -> Option<String> {
    let policy = config.policy_of(key);
    if policy.dm() == DmPolicy::Disabled {
        return None;
    }
    if let Some(listed) = config.listed(key).iter().find(|listed| listed.value == *sender) {
        return Some(format!("{} lists them in allow_from; remove it there", listed.origin));
    }
    if policy.everyone() {
        let at = config.account(key).and_then(|account| account.everyone.as_ref());
        let at = at.map(|at| format!(" by `*` at {at}")).unwrap_or_default();
        return Some(format!("{key} is open{at}; `dmgate block add` keeps them out"));
    }
    if policy.dm() != DmPolicy::Allowlist && !revoked.aliases.is_empty() {
        let aliases: Vec<String> =
            revoked.aliases.iter().map(|alias| format!("`{}`", escape(alias))).collect();
        return Some(format!(
            "{} of the same sender is on the list; remove it as well",
            aliases.join(" and ")
        ));
    }
    let snapshot = store.load(key).await.snapshot;
    let (_, record) = snapshot.record.as_ref().ok()?;
    let behind = |listed: &SenderId| record.primary_behind(key.account(), listed) == Some(sender.as_str());
    let listed = config.listed(key).iter().find(|listed| behind(&listed.value))?;
    let alias = escape(listed.value.as_str());
    Some(format!("{} lists `{alias}`, which is the same sender; remove it there", listed.origin))
}
