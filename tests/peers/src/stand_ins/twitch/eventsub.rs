//! EventSub: subscriptions, and how their events come.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::tokens::Holder;
use super::{BOT, State, login, refusal};
use crate::{Answer, Call, Socket, call_hook};

const WHISPERS: &str = "user.whisper.message";

/// Who subscribes to nothing for so long is hung up on.
const UNUSED: Duration = Duration::from_secs(10);

/// A WebSocket's session, which may move to another connection.
#[derive(Debug)]
pub(super) struct Session {
    line: mpsc::UnboundedSender<String>,
}

/// A subscription to the user's whispers.
#[derive(Debug)]
pub(super) struct Subscription {
    id: String,
    status: &'static str,
    /// By a WebSocket's session, or by web hook and its secret.
    way: Way,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Way {
    Socket(String),
    Hook { callback: String, secret: String },
}

/// A call to a web hook.
#[derive(Debug)]
pub(super) struct HookCall {
    subscription: String,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl HookCall {
    /// Makes it; the status and what is said.
    pub(super) fn make(&self) -> (u16, String) {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        call_hook(&self.url, &headers, self.body.as_bytes())
    }
}

/// Calls with a challenge, and looks whether it comes back.
pub(super) fn verify(state: Arc<Mutex<State>>, call: HookCall) {
    let challenge = serde_json::from_str::<Value>(&call.body).expect("our own body")["challenge"].clone();
    tokio::task::spawn_blocking(move || {
        let (status, said) = call.make();
        let is_verified = status == 200 && challenge == said.as_str();
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let subscription = state.subscriptions.iter_mut().find(|known| known.id == call.subscription);
        if let Some(subscription) = subscription {
            subscription.status =
                if is_verified { "enabled" } else { "webhook_callback_verification_failed" };
        }
    });
}

impl State {
    pub(super) fn subscribe(&mut self, body: &Value, holder: Holder) -> (Answer, Vec<HookCall>) {
        let no = |status, message| (refusal(status, message), Vec::new());
        let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("/type") != WHISPERS || text("/version") != "1" {
            return no(400, "invalid subscription type and version");
        }
        if text("/condition/user_id") != BOT.to_string() {
            return no(403, "subscription missing proper authorization");
        }
        let way = match (text("/transport/method").as_str(), holder) {
            ("websocket", Holder::User) => {
                let session = text("/transport/session_id");
                if !self.sessions.contains_key(&session) {
                    return no(400, "websocket transport session does not exist or has already disconnected");
                }
                Way::Socket(session)
            }
            ("webhook", Holder::App) => {
                let (callback, secret) = (text("/transport/callback"), text("/transport/secret"));
                // Beside Twitch's rule: loopback needs no TLS.
                if !(callback.starts_with("https://") || callback.starts_with("http://127.0.0.1")) {
                    return no(400, "invalid transport: callback must be an HTTPS URL");
                }
                if !(10..=100).contains(&secret.len()) || !secret.is_ascii() {
                    return no(400, "invalid transport: secret must be between 10 and 100 characters");
                }
                Way::Hook { callback, secret }
            }
            ("websocket", Holder::App) => return no(400, "invalid transport and auth combination"),
            ("webhook", Holder::User) => return no(400, "invalid transport and auth combination"),
            _ => return no(400, "invalid transport method"),
        };
        let is_same = |known: &Subscription| match (&known.way, &way) {
            (Way::Hook { callback: one, .. }, Way::Hook { callback: other, .. }) => one == other,
            (one, other) => one == other,
        };
        if self.subscriptions.iter().any(is_same) {
            return no(409, "subscription already exists");
        }
        let id = format!("7297f7eb-3bf5-461f-8ae6-{:012}", self.next());
        let status = match way {
            Way::Socket(_) => "enabled",
            Way::Hook { .. } => "webhook_callback_verification_pending",
        };
        let subscription = Subscription { id, status, way };
        let shown = subscription.shown();
        let calls = match &subscription.way {
            Way::Socket(_) => Vec::new(),
            Way::Hook { .. } => {
                let challenge = format!("pogchamp-kappa-{}", self.next());
                let payload = json!({ "challenge": challenge, "subscription": shown });
                self.hook_call(&subscription, "webhook_callback_verification", &payload).into_iter().collect()
            }
        };
        self.subscriptions.push(subscription);
        let answer = json!({ "data": [shown], "total": 1, "total_cost": 0, "max_total_cost": 10 });
        (Answer::json(202, &answer), calls)
    }

    pub(super) fn list(&self, call: &Call, holder: Holder) -> Answer {
        let is_wanted = |known: &&Subscription| {
            let is_ours = matches!(known.way, Way::Socket(_)) == (holder == Holder::User);
            is_ours
                && call.parameter("type").is_none_or(|kind| kind == WHISPERS)
                && call.parameter("status").is_none_or(|status| status == known.status)
        };
        let data: Vec<Value> = self.subscriptions.iter().filter(is_wanted).map(Subscription::shown).collect();
        let page = json!({
            "total": data.len(), "data": data, "total_cost": 0, "max_total_cost": 10, "pagination": {},
        });
        Answer::json(200, &page)
    }

    pub(super) fn unsubscribe(&mut self, call: &Call) -> Answer {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|known| call.parameter("id").as_deref() != Some(&known.id));
        if self.subscriptions.len() == before { refusal(404, "not found") } else { Answer::status(204) }
    }

    /// Somebody whispers to the user; the calls that are to be made.
    pub(super) fn whisper(&mut self, from: u64, text: &str) -> Vec<HookCall> {
        self.known.insert(from);
        let event = json!({
            "from_user_id": from.to_string(), "from_user_login": login(from), "from_user_name": login(from),
            "to_user_id": BOT.to_string(), "to_user_login": login(BOT), "to_user_name": login(BOT),
            "whisper_id": format!("3c4719ba-fe16-4c75-8f00-{:012}", self.next()), "whisper": { "text": text },
        });
        let subscriptions = std::mem::take(&mut self.subscriptions);
        let mut calls = Vec::new();
        for known in subscriptions.iter().filter(|known| known.status == "enabled") {
            let payload = json!({ "subscription": known.shown(), "event": event });
            match &known.way {
                Way::Socket(session) => {
                    let mut word = word(self.next(), "notification", &payload);
                    word["metadata"]["subscription_type"] = json!(WHISPERS);
                    word["metadata"]["subscription_version"] = json!("1");
                    if let Some(session) = self.sessions.get(session) {
                        let _ = session.line.send(word.to_string());
                    }
                }
                Way::Hook { .. } => calls.extend(self.hook_call(known, "notification", &payload)),
            }
        }
        self.subscriptions = subscriptions;
        calls
    }

    fn hook_call(&mut self, subscription: &Subscription, kind: &str, payload: &Value) -> Option<HookCall> {
        let Way::Hook { callback, secret } = &subscription.way else { return None };
        let path = callback.splitn(4, '/').nth(3).unwrap_or_default();
        let url = self.origin.as_ref().map_or_else(|| callback.clone(), |origin| format!("{origin}/{path}"));
        let (id, stamp) = (format!("e76c6bd4-55c9-4987-8304-{:012}", self.next()), stamp());
        let body = payload.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
        mac.update(format!("{id}{stamp}{body}").as_bytes());
        let signature: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("twitch-eventsub-message-id", id),
            ("twitch-eventsub-message-retry", "0".to_owned()),
            ("twitch-eventsub-message-type", kind.to_owned()),
            ("twitch-eventsub-message-signature", format!("sha256={signature}")),
            ("twitch-eventsub-message-timestamp", stamp),
            ("twitch-eventsub-subscription-type", WHISPERS.to_owned()),
            ("twitch-eventsub-subscription-version", "1".to_owned()),
        ];
        Some(HookCall { subscription: subscription.id.clone(), url, headers, body })
    }

    pub(super) fn reconnect(&mut self, base: &str) {
        let ids: Vec<String> = self.sessions.keys().cloned().collect();
        for id in ids {
            let url = format!("{base}/ws?id={id}");
            let session = json!({
                "id": id, "status": "reconnecting", "keepalive_timeout_seconds": null, "reconnect_url": url,
                "connected_at": stamp(),
            });
            let word = word(self.next(), "session_reconnect", &json!({ "session": session }));
            if let Some(session) = self.sessions.get(&id) {
                let _ = session.line.send(word.to_string());
            }
        }
    }

    fn is_used(&self, session: &str) -> bool {
        let way = Way::Socket(session.to_owned());
        self.subscriptions.iter().any(|known| known.way == way)
    }
}

impl Subscription {
    fn shown(&self) -> Value {
        let transport = match &self.way {
            Way::Socket(session) => json!({ "method": "websocket", "session_id": session }),
            Way::Hook { callback, .. } => json!({ "method": "webhook", "callback": callback }),
        };
        json!({
            "id": self.id, "status": self.status, "type": WHISPERS, "version": "1",
            "condition": { "user_id": BOT.to_string() }, "transport": transport, "created_at": stamp(), "cost": 0,
        })
    }
}

/// One connection, from its welcome to its end.
pub(super) async fn converse(state: &Mutex<State>, call: &Call, mut socket: Socket) {
    let (line, mut lines) = mpsc::unbounded_channel();
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = call.parameter("keepalive_timeout_seconds").and_then(|seconds| seconds.parse().ok());
    let seconds: u64 = seconds.unwrap_or(10).clamp(10, 600);
    let (session, welcome) = {
        let mut state = lock();
        let id = match call.parameter("id") {
            Some(id) if state.sessions.contains_key(&id) => Some(id),
            Some(_) => None,
            None => Some(format!("AQoQexAWVYKSTIu4ec_2VAxyuhAB{}", state.next())),
        };
        let session = json!({
            "id": id, "status": "connected", "keepalive_timeout_seconds": seconds, "reconnect_url": null,
            "connected_at": stamp(),
        });
        (id, word(state.next(), "session_welcome", &json!({ "session": session })).to_string())
    };
    let Some(session) = session else { return socket.close(4_007, "invalid reconnect").await };
    socket.send(welcome).await;
    // From here on events come to this connection.
    lock().sessions.insert(session.clone(), Session { line: line.clone() });
    let unused = Instant::now() + UNUSED;
    let mut is_used = false;
    let mut keepalive = Instant::now() + Duration::from_secs(seconds);
    loop {
        let said = tokio::select! {
            frame = socket.next() => match frame {
                Some(_) => return socket.close(4_001, "client sent inbound traffic").await,
                None => break,
            },
            Some(said) = lines.recv() => said,
            () = sleep_until(keepalive) => word(lock().next(), "session_keepalive", &json!({})).to_string(),
            () = sleep_until(unused), if !is_used => {
                is_used = lock().is_used(&session);
                if is_used {
                    continue;
                }
                return socket.close(4_003, "connection unused").await;
            }
        };
        keepalive = Instant::now() + Duration::from_secs(seconds);
        socket.send(said).await;
    }
    let mut state = lock();
    if state.sessions.get(&session).is_some_and(|known| known.line.same_channel(&line)) {
        state.sessions.remove(&session);
        let way = Way::Socket(session);
        state.subscriptions.retain(|known| known.way != way);
    }
}

fn word(id: u64, kind: &str, payload: &Value) -> Value {
    let metadata = json!({
        "message_id": format!("befa7b53-d79d-478f-86b9-{id:012}"), "message_type": kind, "message_timestamp": stamp(),
    });
    json!({ "metadata": metadata, "payload": payload })
}

/// Now, as Twitch writes it: RFC 3339 with nanoseconds.
fn stamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970");
    let (mut days, second) = (now.as_secs() / 86_400, now.as_secs() % 86_400);
    let (mut year, mut month) = (1970, 0);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let nanos = now.subsec_nanos();
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z", month + 1, days + 1)
}
