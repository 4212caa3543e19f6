//! One connection to the gateway, and the session that goes on over several.

use std::sync::atomic::Ordering;
use std::time::Duration;

use dmgate::{ChannelStatus, Inbox};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Discord;
use super::event::Event;
use super::gateway::{Heart, LEAVING, QUERY, Word, ended, identify, resume};
use super::route::snowflake;
use crate::api::ApiError;
use crate::backoff::at;
use crate::life::End;
use crate::socket::{Frame, Socket, SocketAddress};

/// How long the gateway may take to its first word.
const HELLO: Duration = Duration::from_secs(20);

/// How long after an event its number is saved: after a crash, what came within comes again.
const SAVE: Duration = Duration::from_secs(1);

/// So many beginnings of sessions are left to whoever else uses the token. At none, Discord resets the token.
const RESERVE: u64 = 10;

/// What outlives a restart.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    session: Option<Session>,
}

/// A session that can be resumed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Whose it is: the head of the token.
    bot: String,
    own_id: u64,
    pub(super) id: String,
    /// Where it is resumed.
    url: String,
    /// The last event that the gate has taken.
    pub(super) number: u64,
}

/// A connection on which we have introduced ourselves.
struct Line<'a> {
    discord: &'a Discord,
    inbox: &'a Inbox,
    socket: Socket,
    heart: Heart,
    session: Option<Session>,
    /// When the session is to be saved.
    save: Option<Instant>,
}

/// What `READY` says.
#[derive(Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: String,
    user: Own,
}

#[derive(Deserialize)]
struct Own {
    id: String,
}

impl Discord {
    /// One connection, from its address to its end.
    pub(super) async fn live(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let opened = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            opened = self.connect(inbox) => opened,
        };
        let mut line = match opened {
            Ok(line) => line,
            Err(end) => return end,
        };
        let end = line.serve(shutdown).await;
        line.save().await;
        line.socket.close(LEAVING).await;
        end
    }

    async fn connect<'a>(&'a self, inbox: &'a Inbox) -> Result<Line<'a>, End> {
        let session = self.kept.get().await.session.filter(|session| session.bot == self.bot);
        // A host that could not be reached is not tried twice in a row: any other resumes as well.
        let is_lost = self.is_lost.swap(false, Ordering::Relaxed);
        let url = match &session {
            Some(session) if !is_lost && self.gateways.allows_socket(&session.url) => session.url.clone(),
            session => self.gateway(session.is_none()).await?,
        };
        self.is_lost.store(true, Ordering::Relaxed);
        let address = SocketAddress::parse(&format!("{}/{QUERY}", url.trim_end_matches('/')));
        let address = address.map_err(End::Lost)?;
        let socket = Socket::connect(&address, http::HeaderMap::new(), self.proxy.as_ref()).await;
        let mut socket = socket.map_err(|end| ended(&end).0)?;
        let hello = timeout(HELLO, hello(&mut socket)).await;
        let interval = hello.map_err(|_| End::Lost("the gateway says nothing".to_owned()))??;
        self.is_lost.store(false, Ordering::Relaxed);
        let word =
            session.as_ref().map_or_else(|| identify(&self.token), |session| resume(&self.token, session));
        socket.send(word).await.map_err(|end| ended(&end).0)?;
        let heart = Heart::new(interval, self.chance());
        Ok(Line { discord: self, inbox, socket, heart, session, save: None })
    }

    /// Where the gateway is. A session must not be begun where too few beginnings are left for the day.
    async fn gateway(&self, is_beginning: bool) -> Result<String, End> {
        let gateway = self.api.gateway().await.map_err(|error| refused(&error))?;
        match gateway.session_start_limit {
            Some(limit) if is_beginning && limit.remaining <= RESERVE => {
                let reason = format!(
                    "the bot began so many sessions today that Discord would reset its token ({} are left); waiting until \
                     it allows more",
                    limit.remaining
                );
                Err(End::Slow(reason, Duration::from_millis(limit.reset_after)))
            }
            _ if self.gateways.allows_socket(&gateway.url) => Ok(gateway.url),
            _ => Err(End::Lost("the gateway is said to be at a host that is not Discord's".to_owned())),
        }
    }

    /// A random number from 0 to 1.
    fn chance(&self) -> f64 {
        let mut random = [0; 4];
        // Without random bytes the beat comes at the start, which is as good.
        let _ = self.world.entropy.fill(&mut random);
        f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
    }
}

async fn hello(socket: &mut Socket) -> Result<Duration, End> {
    loop {
        if let Frame::Text(text) = socket.next().await.map_err(|end| ended(&end).0)?
            && let Some(Word::Hello { interval }) = Word::parse(&text)
        {
            return Ok(interval);
        }
    }
}

impl Line<'_> {
    /// Works until something ends it.
    async fn serve(&mut self, shutdown: &CancellationToken) -> End {
        loop {
            let save = self.save;
            let worked = tokio::select! {
                () = shutdown.cancelled() => Err(End::Stopped),
                frame = self.socket.next() => match frame {
                    Ok(Frame::Text(text)) => self.take(&text).await,
                    Ok(Frame::Binary(_)) => Ok(()),
                    Err(end) => {
                        let (end, is_over) = ended(&end);
                        if is_over {
                            self.session = None;
                        }
                        Err(end)
                    }
                },
                () = self.heart.due() => {
                    let number = self.number();
                    self.heart.beat(&mut self.socket, number).await
                }
                () = at(save) => {
                    self.save().await;
                    Ok(())
                }
            };
            if let Err(end) = worked {
                return end;
            }
        }
    }

    /// Takes one word of the gateway's.
    async fn take(&mut self, text: &str) -> Result<(), End> {
        self.heart.heard();
        let Some(word) = Word::parse(text) else {
            tracing::debug!(account = %self.discord.meta.account, "a word of the gateway's can't be read");
            return Ok(());
        };
        match word {
            Word::Event { name, number, data } => self.event(&name, number, &data).await,
            Word::Heartbeat => {
                let number = self.number();
                self.heart.beat_unheard(&mut self.socket, number).await
            }
            Word::Reconnect => Err(End::Again),
            Word::Invalid { is_resumable: true } => {
                Err(End::Lost("Discord wants us to come again".to_owned()))
            }
            Word::Invalid { is_resumable: false } => {
                self.session = None;
                // As Discord asks, at random.
                let (least, longest) = self.discord.pace.anew;
                let wait = least + longest.saturating_sub(least).mul_f64(self.discord.chance());
                Err(End::Slow(
                    "Discord does not know our session any more; a new one is begun".to_owned(),
                    wait,
                ))
            }
            Word::Hello { .. } | Word::Nothing => Ok(()),
        }
    }

    async fn event(&mut self, name: &str, number: Option<u64>, data: &Value) -> Result<(), End> {
        match name {
            "READY" => {
                self.session = Some(self.begun(number, data)?);
                self.save().await;
            }
            "RESUMED" => {}
            _ => self.hand_on(name, data).await?,
        }
        if matches!(name, "READY" | "RESUMED") {
            self.discord.status.set(ChannelStatus::Ready);
            self.inbox.reachable(&self.discord.meta.account);
        }
        if let (Some(session), Some(number)) = (&mut self.session, number) {
            session.number = number;
            self.save = self.save.or(Some(Instant::now() + SAVE));
        }
        Ok(())
    }

    /// The session that `READY` begins.
    fn begun(&self, number: Option<u64>, data: &Value) -> Result<Session, End> {
        let ready = Ready::deserialize(data).ok();
        let session = ready.and_then(|ready| {
            let own_id = snowflake(&ready.user.id)?;
            let bot = self.discord.bot.clone();
            let (id, url) = (ready.session_id, ready.resume_gateway_url);
            Some(Session { bot, own_id, id, url, number: number.unwrap_or_default() })
        });
        session.ok_or_else(|| End::Lost("the gateway does not say who we are".to_owned()))
    }

    /// Hands an event on to the gate, unless it says nothing to us. Where it can't be told what it is, the connection is
    /// lost, and the event comes again with the next one.
    async fn hand_on(&mut self, name: &str, data: &Value) -> Result<(), End> {
        let discord = self.discord;
        let account = &discord.meta.account;
        let Some(own_id) = self.session.as_ref().map(|session| session.own_id) else { return Ok(()) };
        let mut event = match Event::parse(account, own_id, name, data) {
            Ok(event) => event,
            Err(reason) => {
                tracing::debug!(%account, "an event is dropped: {reason}");
                return Ok(());
            }
        };
        if let Some(channel) = event.asks_for() {
            event.is_in(discord.api.channel_type(channel).await.map_err(|error| refused(&error))?);
        }
        if event.id.is_some_and(|id| !discord.seen.is_new(id)) {
            return Ok(());
        }
        let number = self.number();
        let mut delivery = std::pin::pin!(self.inbox.deliver(event.message));
        loop {
            tokio::select! {
                biased;
                // Its number counts as ours only now.
                is_taken = &mut delivery => return if is_taken { Ok(()) } else { Err(End::Stopped) },
                () = self.heart.due() => {
                    // If the connection is gone, that shows when it is read again.
                    let _ = self.heart.beat_unheard(&mut self.socket, number).await;
                }
            }
        }
    }

    fn number(&self) -> Option<u64> {
        self.session.as_ref().map(|session| session.number)
    }

    async fn save(&mut self) {
        self.save = None;
        let session = self.session.clone();
        self.discord.kept.change(|place| place.session = session).await;
    }
}

/// What a refusal of the API means for the connection.
fn refused(error: &ApiError) -> End {
    let mend = "check `token`: reset it in the Developer Portal under Bot if it was lost";
    error.end(|status, _, _| (status == 401).then_some(mend))
}
