//! Zalo, as a person: an account of one's own, by a [bridge] with the library zca-js.
//!
//! Zalo has no API for people's accounts. `bridges/zalouser.mjs` beside this crate is a bridge that plays the part of
//! Zalo's web page; another one that speaks the same protocol does as well. Zalo may close accounts that it finds out.
//!
//! What is proven is the bridge's word: a message came over the account's own encrypted connection to Zalo. The sender
//! is `uidFrom`, a number that Zalo gave the account; names are for display. A conversation is one-to-one if it came as
//! a user's message and not as a group's.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use config::{Config, OPTIONS};

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::bridge::{self, Bridge};
use crate::login::{LoggedIn, Login, LoginError};
use crate::options::ConfigError;

/// The longest text that Zalo takes.
const TEXT_LIMIT: usize = 2_000;

/// Zalo for people, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "zalouser",
    transports: &[Transport::Child, Transport::Socket],
    features: &[Feature::Attachments, Feature::Typing, Feature::Login],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(open(setup, Config::from_options(options)?)?)),
    login: Some(|login| Box::pin(log_in(login))),
};

/// An adapter that is ready to run. Nothing is sent or received yet.
///
/// # Errors
/// [`ConfigError`] says which option won't do, and what would.
pub fn open(setup: Setup, config: Config) -> Result<Bridge, ConfigError> {
    Bridge::open(setup, config.bridge, TEXT_LIMIT)
}

/// Has the bridge log in, with the owner's telephone.
async fn log_in(login: Login<'_>) -> Result<LoggedIn, LoginError> {
    let config = Config::from_options(login.options)?;
    bridge::login::log_in(config.bridge, login).await
}
