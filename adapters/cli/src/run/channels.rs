//! The adapters that the configuration asks for.

use std::sync::Arc;

use dmgate::{ChannelAdapter, World};
use dmgate_channels::webchat::WebChat;

use crate::config::Config;
use crate::failure::Failure;

/// What is connected.
pub(super) struct Channels {
    /// All adapters, the web chat among them.
    pub(super) adapters: Vec<Arc<dyn ChannelAdapter>>,
    /// The web chat, whose page the gateway serves.
    pub(super) webchat: Option<Arc<WebChat>>,
}

impl Channels {
    /// The adapters of all configured accounts. Nothing is connected yet.
    pub(super) fn connect(config: &Config) -> Result<Self, Failure> {
        let mut adapters: Vec<Arc<dyn ChannelAdapter>> = Vec::new();
        let webchat = config.web_chat().map(|account| WebChat::new(account, World::default()));
        adapters.extend(webchat.clone().map(|webchat| webchat as Arc<dyn ChannelAdapter>));
        Ok(Self { adapters, webchat })
    }
}
