//! What all adapters have in common, and which there are.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelId, ChannelMeta, Known, World};

use crate::kept::{Keeper, MemoryKeeper};
use crate::login::{LogIn, LoggedIn, Login, LoginError};
use crate::options::{ConfigError, OptionSpec, Options};
use crate::programs::Programs;

/// What an adapter is put into: everything around it that is not an option of its own.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The account that it serves.
    pub account: AccountKey,
    /// Time and randomness.
    pub world: World,
    /// Where the outside world reaches our web server, as `https://gate.example.org`; web hooks need it.
    pub public_url: Option<String>,
    /// Where it keeps what must outlive a restart.
    pub keeper: Arc<dyn Keeper>,
    /// Where what came of the last login lies: the login writes it, the adapter reads it.
    pub login: Arc<dyn Keeper>,
    /// Where the programs are known that it starts.
    pub programs: Programs,
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
    /// A program of the operator's, which we start and which speaks to the platform.
    Child,
}

/// Who calls whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// We call: nothing of ours has to be reachable.
    Out,
    /// The platform calls our web server, which has to be reachable at `public_url`.
    In,
}

/// What a channel can do beside texts in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// Files that came with a message are fetched once it is admitted.
    Attachments,
    /// The sender sees that an answer is being worked on.
    Typing,
    /// The owner logs in with a telephone: there is a code to scan.
    Login,
    /// It goes on after a restart where it was, also where the platform keeps nothing for us.
    Resume,
}

/// A channel that is compiled in.
#[derive(Clone, Copy)]
pub struct Channel {
    /// Its name, as in `[channels.telegram]`.
    pub name: &'static str,
    /// How events can come, the default first.
    pub transports: &'static [Transport],
    /// What it can do beside texts.
    pub features: &'static [Feature],
    /// What it is told.
    pub options: &'static [OptionSpec],
    pub(crate) open: Open,
    /// How its owner logs in with a telephone, if so; `login.rs` says how one is written.
    pub(crate) login: Option<LogIn>,
}

type Open = fn(Setup, &Options) -> Result<Arc<dyn ChannelAdapter>, ConfigError>;

/// By name.
static CHANNELS: &[Channel] = &[
    #[cfg(feature = "bluebubbles")]
    crate::bluebubbles::CHANNEL,
    #[cfg(feature = "discord")]
    crate::discord::CHANNEL,
    #[cfg(feature = "feishu")]
    crate::feishu::CHANNEL,
    #[cfg(feature = "googlechat")]
    crate::googlechat::CHANNEL,
    #[cfg(feature = "imessage")]
    crate::imessage::CHANNEL,
    #[cfg(feature = "irc")]
    crate::irc::CHANNEL,
    #[cfg(feature = "line")]
    crate::line::CHANNEL,
    #[cfg(feature = "matrix")]
    crate::matrix::CHANNEL,
    #[cfg(feature = "mattermost")]
    crate::mattermost::CHANNEL,
    #[cfg(feature = "msteams")]
    crate::msteams::CHANNEL,
    #[cfg(feature = "nextcloud-talk")]
    crate::nextcloud_talk::CHANNEL,
    #[cfg(feature = "nostr")]
    crate::nostr::CHANNEL,
    #[cfg(feature = "openclaw-weixin")]
    crate::openclaw_weixin::CHANNEL,
    #[cfg(feature = "signal")]
    crate::signal::CHANNEL,
    #[cfg(feature = "slack")]
    crate::slack::CHANNEL,
    #[cfg(feature = "synology-chat")]
    crate::synology_chat::CHANNEL,
    #[cfg(feature = "telegram")]
    crate::telegram::CHANNEL,
    #[cfg(feature = "twitch")]
    crate::twitch::CHANNEL,
    #[cfg(feature = "whatsapp")]
    crate::whatsapp::CHANNEL,
    #[cfg(feature = "zalo")]
    crate::zalo::CHANNEL,
    #[cfg(feature = "zalouser")]
    crate::zalouser::CHANNEL,
];

// === impl Transport ===

impl Transport {
    /// Who calls whom.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Webhook => Direction::In,
            Self::Poll | Self::Socket | Self::Child => Direction::Out,
        }
    }
}

// === impl Setup ===

impl Setup {
    /// An account on this machine's clock and generator, without a web server, that keeps nothing over a restart.
    #[must_use]
    pub fn new(account: AccountKey) -> Self {
        let (keeper, login) = (Arc::new(MemoryKeeper::default()), Arc::new(MemoryKeeper::default()));
        let (world, programs) = (World::default(), Programs::default());
        Self { account, world, public_url: None, keeper, login, programs }
    }

    /// What an adapter of this account is, whose texts have at most `text_limit` UTF-16 units.
    pub(crate) fn meta(&self, text_limit: usize, idempotent_sends: bool) -> ChannelMeta {
        let id_line = Known::of(self.account.channel()).map_or("id", |known| known.id_line).to_owned();
        ChannelMeta { account: self.account.clone(), id_line, text_limit, idempotent_sends }
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

    /// Whether it needs a web server that the platform reaches, as long as the owner chooses no other transport.
    #[must_use]
    pub fn needs_public_url(&self) -> bool {
        self.transports.first() == Some(&Transport::Webhook)
    }

    /// An adapter for one account, ready to run.
    ///
    /// # Errors
    /// [`ConfigError`] says which option is unknown, missing or won't do, and what would.
    pub fn open(&self, setup: Setup, options: &Options) -> Result<Arc<dyn ChannelAdapter>, ConfigError> {
        self.is_of(&setup)?;
        (self.open)(setup, options)
    }

    /// Logs in to one account, with the owner before the screen and their telephone in hand.
    ///
    /// # Errors
    /// [`LoginError`] says why nobody is logged in; also for a channel without logins.
    pub async fn log_in(&self, login: Login<'_>) -> Result<LoggedIn, LoginError> {
        self.is_of(&login.setup)?;
        match self.login {
            Some(log_in) => log_in(login).await,
            None => Err(LoginError::Failed(format!(
                "`{}` has no login: what it needs stands in the configuration",
                self.name
            ))),
        }
    }

    fn is_of(&self, setup: &Setup) -> Result<(), ConfigError> {
        if setup.account.channel().as_str() == self.name {
            return Ok(());
        }
        Err(ConfigError::Setup(format!("the account `{}` is not one of `{}`", setup.account, self.name)))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).finish_non_exhaustive()
    }
}
