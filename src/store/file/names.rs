//! The names of the files of channels and accounts, as established programs use them.

use crate::channel::Known;
use crate::message::{AccountKey, ChannelId};

/// The pending requests of a channel, all accounts.
pub(super) fn pending(channel: &ChannelId) -> String {
    format!("{channel}{PENDING}")
}

/// Our own record of a channel.
pub(super) fn journal(channel: &ChannelId) -> String {
    format!("{channel}-dmgate.jsonl")
}

/// The lists of who is in on an account; the first is the one that is written. The default account also reads the
/// scoped file that established programs write for it.
pub(super) fn allowed(account: &AccountKey) -> Vec<String> {
    let channel = account.channel();
    if account.account().is_default() {
        vec![format!("{channel}-allowFrom.json"), format!("{channel}-default-allowFrom.json")]
    } else {
        vec![format!("{channel}-{}-allowFrom.json", account.account())]
    }
}

/// The channel of a pending file.
pub(super) fn channel_of_pending(name: &str) -> Option<ChannelId> {
    let channel = name.strip_suffix(PENDING)?;
    ChannelId::parse(channel).ok().filter(|parsed| parsed.as_str() == channel)
}

/// The channel of an allow file: the longest known name that it begins with, else the word before the first `-`.
pub(super) fn channel_of_allowed(name: &str) -> Option<ChannelId> {
    let stem = name.strip_suffix("-allowFrom.json")?;
    let begins = |channel: &&str| {
        stem.strip_prefix(channel).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let known = Known::all().map(|known| known.name).filter(begins).max_by_key(|channel| channel.len());
    ChannelId::parse(known.or_else(|| stem.split('-').next())?).ok()
}

const PENDING: &str = "-pairing.json";
