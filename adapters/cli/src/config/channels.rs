//! `[channels.…]`: accounts, their policies, and what their adapters need.

use std::collections::BTreeMap;

use dmgate::{AccountId, AccountKey, AccountPolicy, ChannelId, DmPolicy, Known, Limits, SenderId};
use dmgate_channels::options::{OptionKind, OptionSpec};

use super::error::{ConfigError, nearest};
use super::node::Origin;
use super::section::{Section, Written, quoted};
use super::{limits, secret::Secret};
use crate::catalog::{self, WEBCHAT};

/// A configured channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    /// Its name.
    pub(crate) id: ChannelId,
    /// What accounts get that are not configured: the channel's policy, with nobody listed.
    pub(crate) inherited: AccountPolicy,
    /// Its accounts, the default account first.
    pub(crate) accounts: Vec<Account>,
}

/// A configured account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Which.
    pub(crate) key: AccountKey,
    /// Who may write to it.
    pub(crate) policy: AccountPolicy,
    /// Whom the configuration lists, with where.
    pub(crate) listed: Vec<Written<SenderId>>,
    /// Where `*` is listed.
    pub(crate) everyone: Option<Origin>,
    /// Whether an adapter serves it; otherwise only `dmgate admit` asks for it.
    pub(crate) adapter: bool,
    /// What its adapter needs.
    pub(crate) options: BTreeMap<&'static str, OptionValue>,
    /// Where it was written.
    pub(crate) origin: Origin,
}

/// A value of an adapter's option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OptionValue {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
    /// A secret.
    Secret(Secret),
}

/// Reads all channels.
pub(crate) fn read(
    mut section: Section<'_>,
    limits: &Limits,
    shared: bool,
) -> Result<Vec<Channel>, ConfigError> {
    let mut channels: Vec<Channel> = Vec::new();
    for name in section.keys() {
        let origin = section.origin_of(&name);
        let id = ChannelId::parse(&name).map_err(|error| ConfigError::at(&origin, error.to_string()))?;
        if channels.iter().any(|other| other.id == id) {
            return Err(ConfigError::at(&origin, format!("channel `{id}` is there twice")));
        }
        let channel = read_channel(section.section(&name)?, id, limits, shared)?;
        refuse_shared_files(&channels, &channel)?;
        channels.push(channel);
    }
    section.finish()?;
    Ok(channels)
}

/// What an account has from its channel.
struct Inherited<'a> {
    channel: &'a ChannelId,
    dm: DmPolicy,
    limits: Limits,
    adapter: bool,
    options: &'static [OptionSpec],
    shared: bool,
}

fn read_channel(
    mut section: Section<'_>,
    id: ChannelId,
    limits: &Limits,
    shared: bool,
) -> Result<Channel, ConfigError> {
    let spec = catalog::find(id.as_str());
    let without = [("none", false)];
    let adapter = if section.has("adapter") { section.word("adapter", &without, "none")? } else { true };
    section.know(&["adapter"]);
    if spec.is_none() && adapter {
        return Err(unknown_channel(&section, &id));
    }
    let dm = read_policy(&mut section, DmPolicy::default())?;
    let limits = limits::read(section.section("limits")?.inheriting(), limits, shared)?;
    let inherited = Inherited {
        channel: &id,
        dm,
        limits,
        adapter,
        options: spec.map_or(&[], |spec| spec.options),
        shared,
    };

    let mut accounts = Vec::new();
    let mut below = section.section("accounts")?;
    for name in below.keys() {
        let origin = below.origin_of(&name);
        let account = AccountId::parse(&name).map_err(|error| ConfigError::at(&origin, error.to_string()))?;
        if account.is_default() || accounts.iter().any(|other: &Account| *other.key.account() == account) {
            let what = match account.is_default() {
                true => format!("the account `default` of `{id}` is written in [channels.{id}] itself"),
                false => format!("account `{account}` of `{id}` is there twice"),
            };
            return Err(ConfigError::at(&origin, what));
        }
        accounts.push(read_account(below.section(&name)?.inheriting(), account, &inherited, false)?);
    }
    below.finish()?;

    // What stands at the channel's level is the default account, unless it is only what the others inherit.
    section.know(&["dm_policy", "limits", "accounts"]);
    let only_inherited = section.is_empty() && !accounts.is_empty();
    let default = read_account(section, AccountId::default_account(), &inherited, only_inherited)?;
    if !only_inherited {
        accounts.insert(0, default);
    }
    if let (true, [_, second, ..]) = (id.as_str() == WEBCHAT, accounts.as_slice()) {
        return Err(ConfigError::at(&second.origin, "the web chat has one page and so one account"));
    }
    let inherited =
        AccountPolicy::with_limits(dm, limits).map_err(|error| ConfigError::general(error.to_string()))?;
    Ok(Channel { id, inherited, accounts })
}

fn read_account(
    mut section: Section<'_>,
    account: AccountId,
    inherited: &Inherited<'_>,
    only_inherited: bool,
) -> Result<Account, ConfigError> {
    let origin = section.origin().clone();
    let key = AccountKey::new(inherited.channel.clone(), account)
        .map_err(|error| ConfigError::at(&origin, error.to_string()))?;
    let (dm, limits) = if key.account().is_default() {
        (inherited.dm, inherited.limits)
    } else {
        let dm = read_policy(&mut section, inherited.dm)?;
        (dm, limits::read(section.section("limits")?.inheriting(), &inherited.limits, inherited.shared)?)
    };

    let entries = section.texts("allow_from")?;
    let mut listed = Vec::new();
    let mut everyone = None;
    for entry in &entries {
        let refuse = |why: String| ConfigError::at(&entry.origin, format!("{key}: {why}"));
        // Checked one by one, so that the error has the line of the entry.
        AccountPolicy::new(key.channel(), dm, [entry.value.as_str()], limits)
            .map_err(|error| refuse(error.to_string()))?;
        if entry.value.trim() == "*" {
            everyone = Some(entry.origin.clone());
            continue;
        }
        let value =
            SenderId::parse_entry(key.channel(), &entry.value).map_err(|error| refuse(error.to_string()))?;
        listed.push(Written { value, origin: entry.origin.clone() });
    }
    let words = entries.iter().map(|entry| entry.value.as_str());
    let policy = AccountPolicy::new(key.channel(), dm, words, limits)
        .map_err(|error| ConfigError::at(&origin, format!("{key}: {error}")))?;
    let mut options = BTreeMap::new();
    if !only_inherited {
        for option in inherited.options {
            if let Some(value) = read_option(&mut section, option)? {
                options.insert(option.name, value);
            }
        }
    }
    section.finish()?;
    Ok(Account { key, policy, listed, everyone, adapter: inherited.adapter, options, origin })
}

fn read_policy(section: &mut Section<'_>, inherited: DmPolicy) -> Result<DmPolicy, ConfigError> {
    // INVARIANT I7: a policy that is empty or unknown is an error, never a guess.
    let word = section.any_text_or("dm_policy", inherited.as_str())?;
    word.value.parse().map_err(|error| section.bad("dm_policy", &word.origin, format!("is refused: {error}")))
}

fn read_option(section: &mut Section<'_>, option: &OptionSpec) -> Result<Option<OptionValue>, ConfigError> {
    if option.kind == OptionKind::Secret {
        return Ok(section.secret(option.name)?.map(OptionValue::Secret));
    }
    if !section.has(option.name) {
        section.know(&[option.name]);
        if let Some(default) = option.default {
            let is_text = matches!(option.kind, OptionKind::String | OptionKind::OneOf(_));
            let default = if is_text { quoted(default) } else { default.to_owned() };
            section.show(option.name, default, &Origin::Default);
        }
        return Ok(None);
    }
    Ok(Some(match option.kind {
        OptionKind::Integer => {
            let number = section.number(option.name, 0..=u64::from(u32::MAX), 0)?;
            OptionValue::Number(i64::from(u32::try_from(number).unwrap_or(u32::MAX)))
        }
        OptionKind::Bool => OptionValue::Flag(section.flag(option.name, false)?.value),
        OptionKind::List => {
            OptionValue::List(section.texts(option.name)?.into_iter().map(|text| text.value).collect())
        }
        OptionKind::OneOf(words) => OptionValue::Text(section.one_of(option.name, words)?.to_owned()),
        OptionKind::String | OptionKind::Secret => match section.text(option.name)? {
            Some(text) => OptionValue::Text(text.value),
            None => return Ok(None),
        },
    }))
}

fn unknown_channel(section: &Section<'_>, id: &ChannelId) -> ConfigError {
    if Known::of(id).is_some() {
        let what = format!("this build has no adapter for `{id}`; `dmgate channels` lists those it has");
        return ConfigError::at(section.origin(), what);
    }
    let names: Vec<String> = catalog::all().map(|spec| spec.name.to_owned()).collect();
    let near = match nearest(id.as_str(), &names) {
        Some((near, true)) => format!("did you mean `{near}`?"),
        Some((near, false)) => format!("the nearest known one is `{near}`."),
        None => String::new(),
    };
    let what = format!(
        "unknown channel `{id}`; {near} For messages of your own scripts (`dmgate admit`) say adapter = \"none\" in it"
    );
    ConfigError::at(section.origin(), what)
}

/// Two accounts whose lists would be one file are refused: `a`+`b-c` and `a-b`+`c`.
// INVARIANT I8: ids that would share a file name are refused, never merged.
fn refuse_shared_files(before: &[Channel], channel: &Channel) -> Result<(), ConfigError> {
    let others: Vec<&Account> = before.iter().flat_map(|channel| &channel.accounts).collect();
    for account in &channel.accounts {
        let stems = stems(&account.key);
        if let Some(other) =
            others.iter().find(|other| self::stems(&other.key).iter().any(|stem| stems.contains(stem)))
        {
            let what = format!(
                "accounts {} and {} would share a file; choose another account id",
                other.key, account.key
            );
            return Err(ConfigError::at(&account.origin, what));
        }
    }
    Ok(())
}

/// What the names of an account's lists begin with.
fn stems(key: &AccountKey) -> Vec<String> {
    let scoped = format!("{}-{}", key.channel(), key.account());
    if key.account().is_default() { vec![key.channel().to_string(), scoped] } else { vec![scoped] }
}
