//! The adapters that the configuration asks for.

use std::path::Path;
use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, World};
use dmgate_channels::webchat::WebChat;
use dmgate_channels::{Channel, Options, Programs, Setup};

use super::keeper::FileKeeper;
use crate::config::channels::{Account, OptionValue};
use crate::config::{Config, ConfigError};
use crate::failure::Failure;

/// What is connected.
pub(super) struct Channels {
    /// All adapters, the web chat among them.
    pub(super) adapters: Vec<Arc<dyn ChannelAdapter>>,
    /// The web chat, whose page the gateway serves.
    pub(super) webchat: Option<Arc<WebChat>>,
    /// The programs that they start.
    pub(super) programs: Programs,
}

impl Channels {
    /// The adapters of all configured accounts. Nothing is connected yet.
    pub(super) fn connect(config: &Config, state_dir: &Path) -> Result<Self, Failure> {
        let programs = Programs::default();
        let mut adapters: Vec<Arc<dyn ChannelAdapter>> = Vec::new();
        for account in config.connected() {
            let setup = setup(&account.key, config, state_dir);
            adapters.push(open(account, Setup { programs: programs.clone(), ..setup })?);
        }
        let webchat = config.web_chat().map(|account| WebChat::new(account, World::default()));
        adapters.extend(webchat.clone().map(|webchat| webchat as Arc<dyn ChannelAdapter>));
        Ok(Self { adapters, webchat, programs })
    }
}

fn open(account: &Account, setup: Setup) -> Result<Arc<dyn ChannelAdapter>, ConfigError> {
    let refused = |why: String| ConfigError::at(&account.origin, format!("{}: {why}", account.key));
    let channel = Channel::of(account.key.channel()).ok_or_else(|| {
        refused("this build has no adapter for it; `dmgate channels` lists those it has".to_owned())
    })?;
    channel.open(setup, &options(account)?).map_err(|error| refused(error.to_string()))
}

/// What an account's adapter is told.
pub(crate) fn options(account: &Account) -> Result<Options, ConfigError> {
    let mut options = Options::new();
    for (name, value) in &account.options {
        match value {
            OptionValue::Text(text) => options.set(*name, text.clone()),
            OptionValue::Number(number) => options.set(*name, *number),
            OptionValue::Flag(flag) => options.set(*name, *flag),
            OptionValue::List(list) => options.set(*name, list.clone()),
            OptionValue::Secret(secret) => options.set(*name, secret.reveal()?),
        }
    }
    Ok(options)
}

/// What an account's adapter is put into.
pub(crate) fn setup(key: &AccountKey, config: &Config, state_dir: &Path) -> Setup {
    let public_url = config.gateway.public_url.as_ref().map(ToString::to_string);
    let keeper = Arc::new(FileKeeper::new(state_dir, key));
    let login = Arc::new(FileKeeper::of_login(state_dir, key));
    Setup { public_url, keeper, login, ..Setup::new(key.clone()) }
}
