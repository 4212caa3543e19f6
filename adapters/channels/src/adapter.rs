//! What all adapters have in common, and which there are.

use std::fmt;
use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelId, World};

use crate::options::{ConfigError, FromOptions, OptionSpec, Options};

/// What an adapter is put into: everything around it that is not an option of its own.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The account that it serves.
    pub account: AccountKey,
    /// Time and randomness.
    pub world: World,
    /// Where the outside world reaches our web server, as `https://gate.example.org`; web hooks need it.
    pub public_url: Option<String>,
}

/// How events get from a platform to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// We ask, and the platform answers when there is something.
    Poll,
    /// The platform calls our web server.
    Webhook,
    /// A connection that stays open.
    Socket,
}

/// A platform's adapter, as this crate makes it.
pub trait Adapter: ChannelAdapter + Sized {
    /// What it is told.
    type Config: FromOptions;

    /// The channel's name.
    const NAME: &'static str;

    /// How events can come, the default first.
    const TRANSPORTS: &'static [Transport];

    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    fn open(setup: Setup, config: Self::Config) -> Result<Self, ConfigError>;
}

/// A channel that is compiled in.
#[derive(Clone, Copy)]
pub struct Channel {
    /// Its name, as in `[channels.telegram]`.
    pub name: &'static str,
    /// How events can come, the default first.
    pub transports: &'static [Transport],
    /// What it is told.
    pub options: &'static [OptionSpec],
    open: Open,
}

type Open = fn(Setup, &Options) -> Result<Arc<dyn ChannelAdapter>, ConfigError>;

static CHANNELS: &[Channel] = &[
    #[cfg(feature = "irc")]
    Channel::new::<crate::irc::Irc>(),
    #[cfg(feature = "telegram")]
    Channel::new::<crate::telegram::Telegram>(),
];

// === impl Setup ===

impl Setup {
    /// An account on this machine's clock and generator, without a web server.
    #[must_use]
    pub fn new(account: AccountKey) -> Self {
        Self { account, world: World::default(), public_url: None }
    }

    /// The address of this account's web hook; `None` without a web server that the platform reaches.
    #[must_use]
    pub fn webhook_url(&self) -> Option<String> {
        let base = self.public_url.as_deref()?.trim_end_matches('/');
        Some(format!("{base}/webhooks/{}/{}", self.account.channel(), self.account.account()))
    }
}

// === impl Channel ===

impl Channel {
    const fn new<A: Adapter>() -> Self {
        Self {
            name: A::NAME,
            transports: A::TRANSPORTS,
            options: <A::Config as FromOptions>::OPTIONS,
            open: open::<A>,
        }
    }

    /// Every channel that is compiled in, by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        CHANNELS
    }

    /// The channel of this name, if it is compiled in.
    #[must_use]
    pub fn of(channel: &ChannelId) -> Option<&'static Self> {
        CHANNELS.iter().find(|known| known.name == channel.as_str())
    }

    /// An adapter for one account, ready to run.
    ///
    /// # Errors
    /// [`ConfigError`] says which option is unknown, missing or won't do, and what would.
    pub fn open(&self, setup: Setup, options: &Options) -> Result<Arc<dyn ChannelAdapter>, ConfigError> {
        if setup.account.channel().as_str() != self.name {
            let told = format!("the account `{}` is not one of `{}`", setup.account, self.name);
            return Err(ConfigError::Setup(told));
        }
        (self.open)(setup, options)
    }
}

fn open<A: Adapter>(setup: Setup, options: &Options) -> Result<Arc<dyn ChannelAdapter>, ConfigError> {
    Ok(Arc::new(A::open(setup, A::Config::from_options(options)?)?))
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_known_ones_by_name_and_all_options_are_explained() {
        assert!(Channel::all().is_sorted_by_key(|channel| channel.name));
        for channel in Channel::all() {
            let id = ChannelId::parse(channel.name).unwrap();
            assert!(dmgate::Known::of(&id).is_some(), "{channel:?}");
            assert!(!channel.transports.is_empty());
            for option in channel.options {
                assert!(!option.doc.is_empty() && option.doc.ends_with('.'), "{channel:?}: {}", option.name);
            }
        }
    }

    #[test]
    fn an_account_of_another_channel_is_refused() {
        for channel in Channel::all() {
            let setup = Setup::new(AccountKey::parse("another", "default").unwrap());
            let refused = channel.open(setup, &Options::new()).err();
            assert!(matches!(refused, Some(ConfigError::Setup(_))), "{channel:?}");
        }
    }

    #[test]
    fn a_web_hook_has_one_address_per_account() {
        let mut setup = Setup::new(AccountKey::parse("telegram", "work").unwrap());
        assert_eq!(setup.webhook_url(), None);
        setup.public_url = Some("https://gate.example.org/".to_owned());
        assert_eq!(setup.webhook_url().unwrap(), "https://gate.example.org/webhooks/telegram/work");
    }
}
