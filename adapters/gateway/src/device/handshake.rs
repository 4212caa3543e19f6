//! From a stranger's socket to a client that is let in, or is told why not.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dmgate::device::{Admission, Ask, Connected, Credential, DeviceRequest, PairingReason};
use dmgate::escape;
use hyper::upgrade::OnUpgrade;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::check::{self, Checked, Circumstances, Origin, Shown, Verdict};
use super::connect::Connect;
use super::frame::{self, LONGEST, Request};
use super::listing::{self, put, put_some};
use super::live::{Facts, Who};
use super::lockout::Lock;
use super::method;
use super::refusal::{AuthError, POLICY, Refusal};
use super::session::TICK;
use super::socket::{Came, Close, Socket};
use super::{Gate, PROTOCOL};
use crate::quota::Ticket;

/// A socket that is not let in.
pub(crate) struct Stranger {
    pub(crate) from: IpAddr,
    pub(crate) origin: Origin,
    pub(crate) is_trusted_network: bool,
    pub(crate) ticket: Ticket,
}

/// A client that is let in, and the answer that says so.
pub(crate) struct Welcome {
    pub(crate) who: Who,
    pub(crate) request: String,
    pub(crate) hello: Value,
}

/// How long a stranger has.
const HANDSHAKE: Duration = Duration::from_secs(10);

impl Gate {
    /// Serves a socket from its first byte to its last.
    pub(crate) async fn serve(self: Arc<Self>, upgrade: OnUpgrade, stranger: Stranger) {
        let deadline = Instant::now() + HANDSHAKE;
        let Ok(Ok(upgraded)) = timeout_at(deadline, upgrade).await else { return };
        let mut socket = Socket::on(upgraded).await;
        let admitted = tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(Close::because(super::session::RESTART, "service restart")),
            admitted = timeout_at(deadline, self.admit(&mut socket, &stranger)) => {
                admitted.unwrap_or_else(|_| Err(Close::because(POLICY, "handshake timeout")))
            }
        };
        match admitted {
            Ok(welcome) => {
                drop(stranger.ticket);
                self.attend(socket, welcome).await;
            }
            Err(close) => socket.close(close).await,
        }
    }

    /// Lets a stranger in, or says why not.
    async fn admit(&self, socket: &mut Socket, stranger: &Stranger) -> Result<Welcome, Close> {
        let challenge = self.draw().ok_or_else(|| Close::because(1011, "no randomness"))?;
        let now = self.world.clock.now().as_millis();
        socket.send(frame::event("connect.challenge", &json!({ "nonce": challenge, "ts": now }))).await?;
        let text = loop {
            match socket.next().await? {
                Came::Text(text) => break text,
                Came::Sign => {}
            }
        };
        let request =
            Request::parse(&text).map_err(|no_request| Close::because(POLICY, &no_request.to_string()))?;
        let id = request.id.clone();
        match self.decide(request, &challenge, stranger).await {
            Ok((who, hello)) => Ok(Welcome { who, request: id, hello }),
            Err(Refusal { failure, close }) => {
                tracing::debug!(from = %stranger.from, "a socket is refused: {}", failure.message);
                let close = Close::because(close, &failure.message);
                socket.send(frame::answer(&id, Err(failure))).await?;
                Err(close)
            }
        }
    }

    async fn decide(
        &self,
        request: Request,
        challenge: &str,
        stranger: &Stranger,
    ) -> Result<(Who, Value), Refusal> {
        let connect = check::connect(request)?;
        let is_closed = |lock| self.is_counted(stranger) && self.lockout.is_closed(lock, stranger.from);
        let at = Circumstances {
            challenge,
            now: self.world.clock.now(),
            secrets: &self.secrets,
            origin: stranger.origin,
            from: stranger.from,
            is_trusted_network: stranger.is_trusted_network,
            is_closed: &is_closed,
        };
        match check::check(&connect, &at) {
            Err((refusal, guess)) => {
                self.count(guess, stranger);
                Err(refusal)
            }
            Ok(Checked::Unbound) => {
                self.lockout.right(Lock::Secret, stranger.from);
                let who = Who { session: None, facts: facts(&connect, None, self.world.clock.now()) };
                let hello = self.hello(None)?;
                Ok((who, hello))
            }
            Ok(Checked::Device { ask, shown, otherwise }) => {
                let admission = self.ask(*ask.clone(), shown, otherwise, stranger).await?;
                let session = Some(admission.session.clone());
                let facts = facts(&connect, ask.remote_ip.clone(), self.world.clock.now());
                tracing::info!(device = %admission.session.device, role = %admission.session.role, "a device is connected");
                Ok((Who { session, facts }, self.hello(Some(&admission))?))
            }
        }
    }

    /// Asks the store about each thing that is shown, until one is good.
    async fn ask(
        &self,
        ask: Ask,
        shown: Vec<Shown>,
        otherwise: Verdict,
        stranger: &Stranger,
    ) -> Result<Admission, Refusal> {
        let Verdict { mut error, can_retry, is_guess } = otherwise;
        let mut wrong = is_guess.then_some(Lock::Secret).into_iter().collect::<Vec<_>>();
        for Shown { credential, otherwise, lock } in shown {
            let right = if matches!(credential, Credential::Secret) { Lock::Secret } else { Lock::Device };
            let connected = self.store.connect(ask.clone(), credential).await.map_err(|error| {
                tracing::warn!("a device is not let in: {error}");
                Refusal::unavailable()
            })?;
            match connected {
                Connected::Refused(_) => {
                    error = otherwise.unwrap_or(error);
                    wrong.extend(lock);
                    continue;
                }
                Connected::In(admission) => {
                    self.lockout.right(right, stranger.from);
                    return Ok(admission);
                }
                Connected::Pairing { reason, request, is_new } => {
                    self.lockout.right(right, stranger.from);
                    if let Some(request) = request.as_ref().filter(|_| is_new) {
                        self.say(request, reason);
                    }
                    return Err(Refusal::pairing(
                        request.as_ref().map(|request| request.id.as_str()),
                        reason,
                    ));
                }
            }
        }
        wrong.dedup();
        wrong.into_iter().for_each(|lock| self.count(Some(lock), stranger));
        Err(Refusal::auth(error, can_retry && error == AuthError::TokenMismatch))
    }

    fn say(&self, request: &DeviceRequest, reason: PairingReason) {
        let name = request.description.display_name.as_deref().unwrap_or("without a name");
        tracing::info!(
            "a device asks to be paired ({}): {}; `dmgate devices approve {}` lets it in",
            reason.as_str(),
            escape(name),
            escape(request.id.as_str())
        );
        self.poke.notify_one();
    }

    /// From loopback comes whoever comes by a proxy, so one who guesses would lock all others out; a page is somebody's
    /// browser, which other pages can make try.
    fn is_counted(&self, stranger: &Stranger) -> bool {
        !stranger.from.to_canonical().is_loopback() || stranger.origin != Origin::None
    }

    fn count(&self, guess: Option<Lock>, stranger: &Stranger) {
        if let Some(lock) = guess.filter(|_| self.is_counted(stranger)) {
            self.lockout.wrong(lock, stranger.from);
        }
    }

    fn hello(&self, admission: Option<&Admission>) -> Result<Value, Refusal> {
        let id = self.draw().ok_or_else(Refusal::unavailable)?;
        let uptime = self.world.clock.uptime().map_or(0, |uptime| uptime.at);
        let granted = |Admission { session, token, scopes, issued_at }: &Admission| {
            json!({
                "deviceToken": token.reveal(),
                "role": session.role.as_str(),
                "scopes": listing::scopes(scopes),
                "issuedAtMs": issued_at.as_millis(),
            })
        };
        let state = json!({ "presence": 0, "health": 0 });
        let mut hello = Map::new();
        put(&mut hello, "type", "hello-ok");
        put(&mut hello, "protocol", PROTOCOL);
        put(&mut hello, "server", json!({ "version": env!("CARGO_PKG_VERSION"), "connId": id }));
        put(&mut hello, "features", json!({ "methods": method::NAMES, "events": method::EVENTS }));
        let snapshot = json!({ "presence": [], "health": {}, "stateVersion": state, "uptimeMs": uptime });
        put(&mut hello, "snapshot", snapshot);
        put_some(&mut hello, "auth", admission.map(granted));
        let tick = TICK.as_millis();
        let policy = json!({ "maxPayload": LONGEST, "maxBufferedBytes": LONGEST, "tickIntervalMs": tick });
        put(&mut hello, "policy", policy);
        Ok(hello.into())
    }
}

fn facts(connect: &Connect, remote_ip: Option<String>, connected_at: dmgate::Timestamp) -> Arc<Facts> {
    let client = &connect.client;
    let cut = |texts: &[String]| -> Vec<String> {
        texts.iter().take(64).map(|text| text.trim().chars().take(128).collect()).collect()
    };
    let permissions = connect.permissions.iter().take(64);
    Arc::new(Facts {
        version: cut(std::slice::from_ref(&client.version)).pop(),
        model_identifier: cut(client.model_identifier.as_slice()).pop(),
        remote_ip,
        caps: cut(&connect.caps),
        commands: cut(&connect.commands),
        permissions: permissions
            .map(|(name, is_given)| (name.chars().take(128).collect(), *is_given))
            .collect(),
        connected_at,
    })
}
