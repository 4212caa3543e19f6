//! Who we are to the server: what a login gave, or what stands in the configuration.

use std::sync::{Arc, PoisonError};

use dmgate::ChannelStatus;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api::Link;
use super::{Config, HOSTS, Weixin};
use crate::Secret;
use crate::adapter::Setup;
use crate::backoff::wait;
use crate::hosts::Hosts;
use crate::kept::Keeper;
use crate::login;

/// One bot and the way to its server.
pub(super) struct Session {
    pub(super) link: Link,
    /// The bot's own id, where we know it.
    pub(super) own_id: Option<String>,
    /// Whose place in the stream is whose: the bot's id, or something that stands for a token.
    pub(super) bot: String,
    pub(super) token: Option<Secret>,
}

/// What a login leaves for us. It shows nothing of itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub(super) token: String,
    /// The bot's id: `…@im.bot`.
    pub(super) bot: String,
    /// The server that was named.
    pub(super) base: Option<String>,
    /// Who scanned the code.
    pub(super) person: Option<String>,
}

impl Credentials {
    /// What lies there; the error is what the owner is told.
    pub(super) async fn load(keeper: &Arc<dyn Keeper>) -> Result<Option<Self>, String> {
        let Some(document) = keeper.load().await? else { return Ok(None) };
        serde_json::from_str(&document).map(Some).map_err(|_| "it is damaged".to_owned())
    }
}

impl Session {
    /// The way to the server for somebody who is not logged in.
    pub(super) fn anonymous(setup: &Setup, config: &Config) -> Result<Link, String> {
        Link::new(&config.api_base, None, config, setup.world.clone())
    }

    fn of_token(setup: &Setup, config: &Config, token: Secret) -> Result<Self, String> {
        let link = Link::new(&config.api_base, Some(token.clone()), config, setup.world.clone())?;
        let bot = format!("token {}", hex::encode(Sha256::digest(token.reveal())));
        Ok(Self { link, own_id: None, bot, token: Some(token) })
    }

    fn of_login(setup: &Setup, config: &Config, login: Credentials) -> Result<Self, String> {
        let base = login.base.unwrap_or_else(|| config.api_base.clone());
        // It was looked at when it came; the file may have been changed since.
        if Hosts::new(HOSTS, [config.api_base.as_str()]).allow(&base).is_none() {
            return Err("it names a server that is not Tencent's".to_owned());
        }
        let token = Secret::new(login.token);
        let link = Link::new(&base, Some(token.clone()), config, setup.world.clone())?;
        Ok(Self { link, own_id: Some(login.bot.clone()), bot: login.bot, token: Some(token) })
    }
}

impl Weixin {
    /// Waits until somebody is logged in with another token than the `expired` one; `None` at a shutdown. After a while
    /// that one is tried again.
    pub(super) async fn log_in(
        &self,
        expired: Option<&Secret>,
        shutdown: &CancellationToken,
    ) -> Option<Arc<Session>> {
        let since = Instant::now();
        loop {
            let reason = match self.find().await {
                Ok(Some(session))
                    if session.token.as_ref() != expired || since.elapsed() >= self.pace.again =>
                {
                    let session = Arc::new(session);
                    *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
                    return Some(session);
                }
                Ok(Some(_)) if self.config.token.is_some() => {
                    "the token has expired; put a new one into `token`, or leave it out and log in".to_owned()
                }
                Ok(Some(_)) => "the login has expired".to_owned(),
                Ok(None) => "nobody is logged in".to_owned(),
                Err(reason) => format!("what is kept of the login can't be used ({reason})"),
            };
            let command = login::command(&self.meta.account);
            self.status.set(ChannelStatus::NeedsLogin(format!("{reason}: {command}")));
            if !wait(self.pace.look, shutdown).await {
                return None;
            }
        }
    }

    /// Whether somebody has logged in meanwhile.
    pub(super) async fn is_replaced(&self, session: &Session) -> bool {
        self.find().await.ok().flatten().is_some_and(|found| found.token != session.token)
    }

    async fn find(&self) -> Result<Option<Session>, String> {
        if let Some(token) = &self.config.token {
            return Session::of_token(&self.setup, &self.config, token.clone()).map(Some);
        }
        let login = Credentials::load(&self.setup.login).await?;
        login.map(|login| Session::of_login(&self.setup, &self.config, login)).transpose()
    }
}
