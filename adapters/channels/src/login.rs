//! Logging in with a telephone: the owner scans a code, and what comes of it is kept for `dmgate run`.
//!
//! A channel has it by the field `login` of its `CHANNEL`:
//!
//! ```text
//! features: &[Feature::Login, …],
//! login: Some(|login| Box::pin(login::log_in(login))),
//! ```
//!
//! The function goes from the first code to the end: it asks the platform, or starts the operator's bridge
//! (`child.rs`, `rpc.rs`), gives each code to [`Screen::show`] (a later one takes the place of the one before), tells
//! what happens with [`Screen::say`], asks for what only the telephone shows with [`Screen::ask`], and returns who
//! scanned. What `run` needs of it goes to `setup.login`, which nobody else writes: `run` may be at work beside it, and
//! has `setup.keeper` for itself. A bridge that keeps its session in a place of its own needs neither.
//!
//! `run` says [`ChannelStatus::NeedsLogin`](dmgate::ChannelStatus) with [`command`], and looks at `setup.login` now and
//! then, so that a login is taken up without a restart.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use dmgate::{AccountKey, SenderId};

use crate::adapter::Setup;
use crate::kept::Keeper;
use crate::options::{ConfigError, Options};

/// A login to one account.
pub struct Login<'a> {
    /// What the adapter is put into.
    pub setup: Setup,
    /// What the adapter is told.
    pub options: &'a Options,
    /// Where logins to other accounts of the channel lie.
    pub others: Vec<Arc<dyn Keeper>>,
    /// The owner.
    pub screen: &'a mut dyn Screen,
}

/// What the owner sees and answers.
#[async_trait]
pub trait Screen: Send {
    /// Shows a code to be scanned, in place of the one before.
    async fn show(&mut self, code: Code<'_>);

    /// Tells how it goes: a sentence.
    async fn say(&mut self, text: &str);

    /// Asks for a line; `None` if nobody answers.
    async fn ask(&mut self, question: &str) -> Option<String>;
}

/// A code to be scanned. Whoever scans it logs in, so it is shown to the owner and to nobody else.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// What it says; the picture is drawn from that.
    Text(&'a str),
    /// The picture, as PNG, where the platform gives no more.
    Picture(&'a [u8]),
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedIn {
    /// How it ended, for the owner: a sentence.
    pub told: String,
    /// The person who scanned the code, where the platform says so and they can write to the account themselves. They
    /// are let in only if the owner says so.
    pub scanned_by: Option<SenderId>,
}

/// Why nobody is logged in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoginError {
    /// The channel can't be set up as it is told.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It did not work; what happened, without secrets.
    #[error("{0}")]
    Failed(String),
}

/// A channel's login.
pub(crate) type LogIn = for<'a> fn(Login<'a>) -> LoggingIn<'a>;

/// A login at work.
pub(crate) type LoggingIn<'a> = Pin<Box<dyn Future<Output = Result<LoggedIn, LoginError>> + Send + 'a>>;

/// What the owner types to log in to an account.
#[must_use]
pub fn command(account: &AccountKey) -> String {
    let channel = account.channel();
    match account.account() {
        id if id.is_default() => format!("dmgate channels login {channel}"),
        id => format!("dmgate channels login {channel} --account {id}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// An owner who answers what was written down before.
    #[derive(Default)]
    pub(crate) struct FakeScreen {
        pub(crate) codes: Vec<String>,
        pub(crate) said: Vec<String>,
        pub(crate) answers: VecDeque<String>,
    }

    #[async_trait]
    impl Screen for FakeScreen {
        async fn show(&mut self, code: Code<'_>) {
            self.codes.push(match code {
                Code::Text(text) => text.to_owned(),
                Code::Picture(picture) => format!("{} bytes", picture.len()),
            });
        }

        async fn say(&mut self, text: &str) {
            self.said.push(text.to_owned());
        }

        async fn ask(&mut self, question: &str) -> Option<String> {
            self.said.push(question.to_owned());
            self.answers.pop_front()
        }
    }

    #[test]
    fn the_command_names_an_account_that_is_not_the_default_one() {
        let told = |account: &str| command(&AccountKey::parse("openclaw-weixin", account).unwrap());
        assert_eq!(told("default"), "dmgate channels login openclaw-weixin");
        assert_eq!(told("work"), "dmgate channels login openclaw-weixin --account work");
    }
}
