//! The configuration: one TOML file, the environment over it, defaults under it; checked as a whole, so that nothing
//! starts half-configured.

pub(crate) mod agent;
pub(crate) mod channels;
pub(crate) mod document;
pub(crate) mod duration;
mod environment;
pub(crate) mod error;
pub(crate) mod gateway;
mod limits;
pub(crate) mod node;
mod owner;
pub(crate) mod secret;
pub(crate) mod section;

use std::ffi::OsString;
use std::path::PathBuf;

use dmgate::{AccountKey, AccountPolicy, DmPolicy, Limits, ReplyTemplate, SenderId};

use agent::AgentSettings;
use channels::Channel;
pub(crate) use error::ConfigError;
use gateway::GatewaySettings;
use node::Table;
use section::{Section, Shown, Written};

use crate::catalog::WEBCHAT;
use crate::log::{Format, Level};

/// The sections of a configuration.
const SECTIONS: [&str; 8] = ["agent", "limits", "gateway", "owner", "channels", "reply", "store", "log"];

/// Where a configuration is read from.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// The file.
    pub(crate) path: PathBuf,
    /// Whether the file was named, and so must be there.
    pub(crate) must_exist: bool,
    /// The state directory.
    pub(crate) state_dir: PathBuf,
    /// The environment.
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// A whole configuration, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// What answers.
    pub(crate) agent: AgentSettings,
    /// What listens.
    pub(crate) gateway: GatewaySettings,
    /// Who may use owner commands in chat, and where.
    pub(crate) owners: Vec<(AccountKey, SenderId)>,
    /// The policy of accounts on channels that are not configured.
    pub(crate) fallback: AccountPolicy,
    /// The channels, by name.
    pub(crate) channels: Vec<Channel>,
    /// The pairing message.
    pub(crate) reply: ReplyTemplate,
    /// Whether OpenClaw works on the same directory.
    pub(crate) shared_with_openclaw: bool,
    /// How much is logged, if the configuration says.
    pub(crate) log_level: Option<Level>,
    /// How it is logged, if the configuration says.
    pub(crate) log_format: Option<Format>,
    /// Every effective value and where it came from.
    pub(crate) shown: Vec<Shown>,
}

impl Config {
    /// Reads and checks a configuration.
    pub(crate) fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let table = match document::read(&sources.path)? {
            Some(table) => table,
            None if sources.must_exist => {
                let path = sources.path.display();
                return Err(ConfigError::general(format!(
                    "there is no configuration {path}; name another with --config"
                )));
            }
            None => Table::new(),
        };
        Self::of(table, sources)
    }

    /// Checks what was written.
    pub(crate) fn of(mut table: Table, sources: &Sources) -> Result<Self, ConfigError> {
        environment::overlay(&mut table, &SECTIONS, sources.variables.iter().cloned())?;
        let mut shown = Vec::new();
        let mut root = Section::root(table, &mut shown);

        let agent = agent::read(root.section("agent")?)?;
        let shared_with_openclaw = read_store(root.section("store")?, sources)?;
        let limits = limits::read(root.section("limits")?, &Limits::default(), shared_with_openclaw)?;
        let fallback = AccountPolicy::with_limits(DmPolicy::Pairing, limits)
            .map_err(|error| ConfigError::general(error.to_string()))?;
        let gateway = gateway::read(root.section("gateway")?)?;
        let owners = owner::read(root.section("owner")?)?;
        let channels = channels::read(root.section("channels")?, &limits, shared_with_openclaw)?;
        let reply = read_reply(root.section("reply")?)?;
        let (log_level, log_format) = read_log(root.section("log")?)?;
        root.finish()?;

        Ok(Self {
            agent,
            gateway,
            owners,
            fallback,
            channels,
            reply,
            shared_with_openclaw,
            log_level,
            log_format,
            shown,
        })
    }

    /// The policies of all configured accounts.
    pub(crate) fn policies(&self) -> Vec<(AccountKey, AccountPolicy)> {
        let accounts = self.channels.iter().flat_map(|channel| &channel.accounts);
        accounts.map(|account| (account.key.clone(), account.policy.clone())).collect()
    }

    /// The policy of an account: its own, else its channel's with nobody listed, else the fallback.
    pub(crate) fn policy_of(&self, key: &AccountKey) -> AccountPolicy {
        if let Some(account) = self.account(key) {
            return account.policy.clone();
        }
        let channel = self.channels.iter().find(|channel| channel.id == *key.channel());
        channel.map_or_else(|| self.fallback.clone(), |channel| channel.inherited.clone())
    }

    /// A configured account.
    pub(crate) fn account(&self, key: &AccountKey) -> Option<&channels::Account> {
        self.channels.iter().flat_map(|channel| &channel.accounts).find(|account| account.key == *key)
    }

    /// The accounts that an adapter serves, without the web chat.
    pub(crate) fn connected(&self) -> impl Iterator<Item = &channels::Account> {
        let accounts = self.channels.iter().flat_map(|channel| &channel.accounts);
        accounts.filter(|account| account.adapter && account.key.channel().as_str() != WEBCHAT)
    }

    /// The web chat's account: where it is configured, and where nothing else is.
    pub(crate) fn web_chat(&self) -> Option<AccountKey> {
        let configured = self.channels.iter().flat_map(|channel| &channel.accounts);
        let configured = configured.filter(|account| account.adapter).map(|account| &account.key);
        let found = configured.clone().find(|key| key.channel().as_str() == WEBCHAT).cloned();
        match found {
            None if configured.count() == 0 => AccountKey::parse(WEBCHAT, "default").ok(),
            found => found,
        }
    }

    /// The variables in which secrets of channels and of the gateway are.
    pub(crate) fn secret_variables(&self) -> Vec<String> {
        let options =
            self.channels.iter().flat_map(|channel| &channel.accounts).flat_map(|a| a.options.values());
        let of_channels = options.filter_map(|option| match option {
            channels::OptionValue::Secret(secret) => Some(secret),
            _ => None,
        });
        let variable = |secret: &secret::Secret| match &secret.place {
            secret::Place::Variable(name) => Some(name.clone()),
            secret::Place::Here(_) | secret::Place::File(_) => None,
        };
        of_channels.chain(self.gateway.secrets()).filter_map(variable).collect()
    }

    /// What the configuration lists for an account, with where.
    pub(crate) fn listed(&self, key: &AccountKey) -> &[Written<SenderId>] {
        self.account(key).map_or(&[], |account| &account.listed)
    }
}

fn read_store(mut section: Section<'_>, sources: &Sources) -> Result<bool, ConfigError> {
    // What lies beside us says whether the directory is shared, unless the owner does.
    let found = sources.state_dir.join("openclaw.json").exists();
    let shared = section.flag("shared_with_openclaw", found)?;
    section.finish()?;
    Ok(shared.value)
}

fn read_reply(mut section: Section<'_>) -> Result<ReplyTemplate, ConfigError> {
    let text = section.text("text")?;
    let reply = match &text {
        None => ReplyTemplate::default(),
        Some(text) => ReplyTemplate::parse(&text.value)
            .map_err(|error| section.bad("text", &text.origin, format!("is refused: {error}")))?,
    };
    section.finish()?;
    Ok(reply)
}

fn read_log(mut section: Section<'_>) -> Result<(Option<Level>, Option<Format>), ConfigError> {
    let level = section.has("level").then(|| section.word("level", &Level::WORDS, "info")).transpose()?;
    let format = section.has("format").then(|| section.word("format", &Format::WORDS, "text")).transpose()?;
    section.know(&["level", "format"]);
    section.finish()?;
    Ok((level, format))
}

#[cfg(test)]
mod tests;
