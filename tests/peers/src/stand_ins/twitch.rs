//! Twitch with one user who is written to in whispers: the API, where tokens are had, and EventSub.
//!
//! After Twitch's documents: Authentication (refreshing, validating, the device code flow), the API reference (Send
//! Whisper, EventSub subscriptions), Handling WebSocket Events, Getting Events Using Webhooks. It is also where twurple looks
//! for Twitch when it is pointed at a mock server: below `/mock`, `/auth`, `/eventsub` and `/ws`.

mod eventsub;
mod tokens;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use eventsub::{Session, Subscription};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokens::{CLIENT, CLIENT_SECRET, Tokens};

use crate::{Answer, Call, Letters, Platform, Site, Socket, StandIn};

/// The user who is written to.
const BOT: u64 = 424_596_340;

/// The first person; the others follow.
const PERSON: u64 = 423_374_343;
const PEOPLE: u64 = 1_000;

const HOOK_SECRET: &str = "signs web hooks of the story";

/// The longest whispers, in characters: to who has not whispered before, and to others.
const LONGEST: (usize, usize) = (500, 10_000);

/// So many users a day may be whispered to, and so many whispers may go in a second.
const RECIPIENTS: usize = 40;
const A_SECOND: usize = 3;

/// Twitch, and what its people see.
#[derive(Debug)]
pub struct Twitch {
    server: StandIn<Services>,
    is_hooked: bool,
}

#[derive(Debug, Default)]
struct Services {
    letters: Letters,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    ids: u64,
    tokens: Tokens,
    sessions: HashMap<String, Session>,
    subscriptions: Vec<Subscription>,
    /// Where web hooks are really called: the origin, if they are told elsewhere.
    origin: Option<String>,
    recipients: HashSet<u64>,
    /// Who has whispered to us.
    known: HashSet<u64>,
    /// When the last whispers went.
    sent: Vec<Instant>,
}

impl Twitch {
    /// Starts it, for an account that connects.
    pub fn by_socket() -> Self {
        Self { server: StandIn::start(Services::default()), is_hooked: false }
    }

    /// Starts it, for an account that is called.
    pub fn by_hook() -> Self {
        Self { is_hooked: true, ..Self::by_socket() }
    }

    /// Moves all connections to another server.
    pub fn reconnect(&self) {
        self.server.site().state().reconnect(&self.server.socket_base());
    }
}

impl Platform for Twitch {
    fn channel(&self) -> &'static str {
        "twitch"
    }

    fn settings(&self) -> String {
        let (http, socket) = (self.server.base(), self.server.socket_base());
        let refresh_token = self.server.site().state().tokens.refresh_token.clone();
        let hook = match self.is_hooked {
            true => format!("mode = \"webhook\"\nwebhook_secret = \"{HOOK_SECRET}\"\n"),
            false => String::new(),
        };
        format!(
            "client_id = \"{CLIENT}\"\nclient_secret = \"{CLIENT_SECRET}\"\nrefresh_token = \"{refresh_token}\"\n{hook}\
             api_base = \"{http}/helix\"\nauth_base = \"{http}/oauth2\"\nsocket_url = \"{socket}/ws\"\n"
        )
    }

    /// The rest of the address is known from the subscription.
    fn call_at(&mut self, url: &str) {
        let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        self.server.site().state().origin = Some(origin);
    }

    fn id(&self, person: usize) -> String {
        (PERSON + number(person)).to_string()
    }

    fn write(&mut self, person: usize, text: &str) {
        let calls = self.server.site().state().whisper(PERSON + number(person), text);
        for call in calls {
            let (status, said) = call.make();
            assert!((200..300).contains(&status), "the web hook answers {status}: {said}");
        }
    }

    fn read(&mut self, person: usize) -> String {
        self.server.site().letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.server.site().letters.count(&self.id(person))
    }
}

fn number(person: usize) -> u64 {
    u64::try_from(person).expect("a small number")
}

fn login(user: u64) -> String {
    format!("user{user}")
}

#[async_trait]
impl Site for Services {
    async fn answer(&self, call: Call) -> Answer {
        // What no bot knows of.
        if call.path == "/stand-in/reconnect" {
            self.state().reconnect(&format!("ws://{}", call.header("host").unwrap_or_default()));
            return Answer::status(204);
        }
        let path = call.path.clone();
        if let Some(path) = path.strip_prefix("/oauth2/").or_else(|| path.strip_prefix("/auth/")) {
            return self.state().tokens.answer(path, &call);
        }
        let below = ["/helix/", "/mock/", "/"].into_iter().find_map(|base| path.strip_prefix(base));
        let path = below.unwrap_or_default();
        if call.header("client-id") != Some(CLIENT) {
            return refusal(401, "Client ID and OAuth token do not match");
        }
        let holder = call.bearer().and_then(|token| self.state().tokens.holder(token));
        let Some(holder) = holder else { return refusal(401, "Invalid OAuth token") };
        match (&call.method, path) {
            (&Method::POST, "whispers") => self.whispered(&call, holder),
            (method, "eventsub/subscriptions") => match *method {
                Method::POST => {
                    let (answer, calls) = self.state().subscribe(&call.json(), holder);
                    for call in calls {
                        eventsub::verify(Arc::clone(&self.state), call);
                    }
                    answer
                }
                Method::GET => self.state().list(&call, holder),
                Method::DELETE => self.state().unsubscribe(&call),
                _ => refusal(405, "Method Not Allowed"),
            },
            _ => refusal(404, "Not Found"),
        }
    }

    fn refuses(&self, call: &Call) -> Option<StatusCode> {
        (call.path != "/ws").then_some(StatusCode::NOT_FOUND)
    }

    async fn converse(&self, call: Call, socket: Socket) {
        eventsub::converse(&self.state, &call, socket).await;
    }
}

impl Services {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whisper of the bot's.
    fn whispered(&self, call: &Call, holder: tokens::Holder) -> Answer {
        let user = |name: &str| call.parameter(name).and_then(|id| id.parse::<u64>().ok());
        let mut state = self.state();
        if holder != tokens::Holder::User || user("from_user_id") != Some(BOT) {
            return refusal(401, "The ID in from_user_id must match the user ID in the user access token.");
        }
        let Some(to) = user("to_user_id").filter(|to| (PERSON..PERSON + PEOPLE).contains(to)) else {
            return refusal(404, "The ID in to_user_id was not found.");
        };
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let body = call.json();
        let message = body["message"].as_str().filter(|_| is_json).unwrap_or_default();
        if message.is_empty() {
            return refusal(400, "The message field must not contain an empty string.");
        }
        state.sent.retain(|sent| sent.elapsed() < Duration::from_secs(1));
        state.recipients.insert(to);
        if state.sent.len() >= A_SECOND || state.recipients.len() > RECIPIENTS {
            return refusal(
                429,
                "The sending user exceeded the number of whisper requests that they may make.",
            );
        }
        state.sent.push(Instant::now());
        let longest = if state.known.contains(&to) { LONGEST.1 } else { LONGEST.0 };
        self.letters.put(&to.to_string(), &message.chars().take(longest).collect::<String>());
        Answer::status(204)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }
}

fn refusal(status: u16, message: &str) -> Answer {
    let error =
        StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    Answer::json(status, &json!({ "error": error, "status": status, "message": message }))
}

fn scopes() -> Value {
    json!(["user:manage:whispers", "user:read:whispers"])
}
