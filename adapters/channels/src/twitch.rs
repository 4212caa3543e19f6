//! Twitch, by whispers: EventSub brings them, over a WebSocket or by web hook, and the API sends them.
//!
//! What is proven: we open the WebSocket, encrypted, to Twitch's own host, and only our token makes it bring whispers; a
//! web hook is signed with our secret, over its id, its stamp and its raw body, and is not older than ten minutes. The
//! sender is `from_user_id`, which Twitch authenticated; logins and display names change. A whisper is between two by
//! nature, and one-to-one with us if it is to our own user. Chat is no private conversation, and is not listened to.
//!
//! EventSub over a WebSocket keeps nothing for who is away: what comes while we are not connected is lost. So when
//! Twitch moves us, the new connection is there before the old one is left. Nobody can make Twitch wait, so up to
//! a thousand whispers wait here for the gate, and what comes then is lost with a warning. By web hook, Twitch repeats what we
//! did not take.
//!
//! Twitch drops some whispers that it suspects, and says of them what it says of all others. Nothing can be done about
//! it but to tell: the log says of each code that Twitch took it, not that it arrived.

mod api;
mod auth;
mod config;
mod event;
mod grant;
mod hook;
mod login;
mod send;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::Helix;
use async_trait::async_trait;
use auth::{Fault, Me, Tokens};
use bytes::Bytes;
pub use config::{Config, Mode, OPTIONS};
use dmgate::{
    ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, InboundMessage, Inbox, OutboundText,
    ReplyRoute, SendError, SenderId, Webhook, World,
};
use grant::Place;
use http::StatusCode;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::adapter::{Channel, Feature, Setup, Transport};
use crate::dedupe::Dedupe;
use crate::dial::Proxy;
use crate::hosts::Hosts;
use crate::kept::Kept;
use crate::life::{End, RETRY, stay_connected};
use crate::options::ConfigError;
use crate::status::StatusCell;

/// Twitch, as it is found by name.
pub(crate) const CHANNEL: Channel = Channel {
    name: "twitch",
    transports: &[Transport::Socket, Transport::Webhook],
    features: &[Feature::Login],
    options: OPTIONS,
    open: |setup, options| Ok(Arc::new(Twitch::open(setup, Config::from_options(options)?)?)),
    login: Some(|login| Box::pin(login::log_in(login))),
};

/// Where EventSub may send us.
const SOCKET_HOSTS: &[&str] = &["eventsub.wss.twitch.tv", "*.eventsub.wss.twitch.tv"];

/// So many whispers wait for the gate, which nobody can make Twitch do.
const WAITING: usize = 1_024;

/// One Twitch user.
pub struct Twitch {
    meta: ChannelMeta,
    tokens: Arc<Tokens>,
    helix: Helix,
    kept: Arc<Kept<Place>>,
    socket_url: String,
    sockets: Hosts,
    proxy: Option<Proxy>,
    hook: Option<hook::Hook>,
    /// Who we are, once Twitch said it.
    me: Mutex<Option<Me>>,
    sending: send::Sending,
    seen: Dedupe<String>,
    status: StatusCell,
    world: World,
    pace: Pace,
}

/// How long things take; tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Pace {
    /// The first and the longest wait between two connections.
    retry: (Duration, Duration),
    /// How long a login is looked out for before it is looked for again.
    login: Duration,
    /// Between two whispers of ours: 3 may go in a second and 100 in a minute.
    whisper: Duration,
}

const PACE: Pace = Pace { retry: RETRY, login: Duration::from_secs(5), whisper: Duration::from_millis(650) };

impl Twitch {
    /// An adapter that is ready to run. Nothing is sent or received yet.
    ///
    /// # Errors
    /// [`ConfigError`] says which option won't do, and what would.
    pub fn open(setup: Setup, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let invalid = |name, reason| ConfigError::Invalid { name, reason };
        let hook = match config.mode {
            Mode::Socket => None,
            Mode::Webhook => Some(hook::Hook::new(&setup, &config)?),
        };
        let proxy = config.proxy.as_ref().map(Proxy::parse).transpose();
        let proxy = proxy.map_err(|reason| invalid("proxy", reason))?;
        let sockets = Hosts::new(SOCKET_HOSTS, [config.socket_url.replacen("ws", "http", 1).as_str()]);
        if !sockets.allows_socket(&config.socket_url) {
            let reason = "a WebSocket's address is expected, as `wss://eventsub.wss.twitch.tv/ws`".to_owned();
            return Err(invalid("socket_url", reason));
        }
        let kept = Arc::new(Kept::new(setup.account.clone(), Arc::clone(&setup.keeper)));
        let tokens = Arc::new(Tokens::new(&setup, &config, Arc::clone(&kept))?);
        let helix = Helix::new(&config, Arc::clone(&tokens)).map_err(|reason| invalid("api_base", reason))?;
        Ok(Self {
            // To who has written before, as all have that are answered; others get 500, and a notice is shorter.
            meta: setup.meta(10_000, false),
            tokens,
            helix,
            kept,
            socket_url: config.socket_url,
            sockets,
            proxy,
            hook,
            me: Mutex::new(None),
            sending: send::Sending::default(),
            seen: Dedupe::new(4_096),
            status: StatusCell::new(setup.account),
            world: setup.world,
            pace: PACE,
        })
    }

    /// Who we are: Twitch is asked, and the token with it.
    async fn identify(&self) -> Result<Me, Fault> {
        let me = self.tokens.validate().await?;
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = Some(me.clone());
        Ok(me)
    }

    /// The same while we are at work: only a token that is none any more ends that.
    async fn revalidate(&self) -> Result<(), End> {
        match self.identify().await {
            Ok(_) => Ok(()),
            Err(Fault::NeedsLogin(reason)) => Err(End::NeedsLogin(reason)),
            Err(fault) => {
                tracing::warn!(account = %self.meta.account, "the token could not be validated: {fault}");
                Ok(())
            }
        }
    }

    /// Who we are, as far as that is known.
    fn me(&self) -> Option<Me> {
        self.me.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One connection, or one subscription by web hook, from its token to its end.
    async fn live(
        &self,
        inbox: &Inbox,
        queue: &mpsc::Sender<InboundMessage>,
        shutdown: &CancellationToken,
    ) -> End {
        let ready = || {
            self.status.set(ChannelStatus::Ready);
            inbox.reachable(&self.meta.account);
        };
        let end = match self.identify().await {
            Ok(me) => match &self.hook {
                None => self.listen(&me, queue, &ready, shutdown).await,
                Some(hook) => self.be_called(hook, &me, &ready, shutdown).await,
            },
            Err(fault) => fault.end(),
        };
        match end {
            End::NeedsLogin(reason) if self.tokens.has_login() => {
                self.status.set(ChannelStatus::NeedsLogin(reason));
                self.tokens.await_login(self.pace.login, shutdown).await
            }
            end => end,
        }
    }
}

#[async_trait]
impl ChannelAdapter for Twitch {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let (queue, mut waiting) = mpsc::channel(WAITING);
        let receiving = async {
            let connection = || self.live(&inbox, &queue, &shutdown);
            let lived =
                stay_connected(&self.world, self.pace.retry, &self.status, &shutdown, connection).await;
            // What waits is still handed on.
            drop(queue);
            lived
        };
        let handing_on = async {
            while let Some(message) = waiting.recv().await {
                if !inbox.deliver(message).await {
                    break;
                }
            }
            drop(waiting);
        };
        tokio::join!(receiving, handing_on).0
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<StatusCode> {
        match &self.hook {
            None => Some(StatusCode::NOT_FOUND),
            Some(hook) => hook.refuses(head, self.world.clock.now()),
        }
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        match &self.hook {
            None => Webhook::status(StatusCode::NOT_FOUND),
            Some(hook) => self.take(hook, request),
        }
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        self.whisper(route, text).await
    }

    /// A user's id is enough.
    fn route_to(&self, sender: &SenderId) -> Option<ReplyRoute> {
        Some(ReplyRoute::new(sender.as_str()))
    }

    fn status(&self) -> ChannelStatus {
        self.status.get()
    }
}
