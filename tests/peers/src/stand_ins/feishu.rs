//! Feishu with one self-built app, as its pages describe tokens, messages, events by web hook and by long connection.
//!
//! It encrypts and signs as Feishu does, asks for the challenge before it calls a hook, sends every second event in parts,
//! and sends again what is not answered within three seconds.

mod frame;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aes::Aes256;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use frame::Frame;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::{Answer, Call, Letters, Platform, Site, Socket, StandIn, call_hook};

const APP: &str = "cli_a1b2c3d4e5f60708";
const APP_SECRET: &str = "secret-of-the-stand-in";
const ENCRYPT_KEY: &str = "encrypt-key-of-the-stand-in";
const VERIFICATION_TOKEN: &str = "token-of-the-stand-in";
const SERVICE: &str = "33554678";

/// How long Feishu waits for an answer, and how often it sends something again.
const PATIENCE: Duration = Duration::from_secs(3);
const REPEATS: usize = 4;

/// How events reach the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Hook,
    Socket,
}

/// A tenant with people in it, and one app.
#[derive(Debug)]
pub struct Feishu {
    stand_in: StandIn<Tenant>,
    way: Way,
    hook: Option<String>,
}

#[derive(Debug, Default)]
struct Tenant {
    letters: Letters,
    state: Mutex<State>,
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    tickets: HashSet<String>,
    /// Events that no connection has answered, and how often each was sent.
    events: VecDeque<(Value, usize)>,
    /// The messages that were sent, by what the app marked them with.
    sent: HashMap<String, String>,
}

impl Feishu {
    /// A tenant whose app is called at its web hook.
    pub fn by_hook() -> Self {
        Self::start(Way::Hook)
    }

    /// A tenant whose app opens a connection.
    pub fn by_socket() -> Self {
        Self::start(Way::Socket)
    }

    fn start(way: Way) -> Self {
        Self { stand_in: StandIn::start(Tenant::default()), way, hook: None }
    }

    /// Calls the hook as often as Feishu does; the body of the answer that it takes. A question is not signed.
    fn deliver(&self, said: &Value, is_signed: bool) -> String {
        let hook = self.hook.as_ref().expect("Feishu was told where the hook is");
        let body = json!({ "encrypt": encrypt(&said.to_string()) }).to_string();
        let (stamp, nonce) = ((millis() / 1_000).to_string(), millis().to_string());
        let signature = hex::encode(Sha256::digest(format!("{stamp}{nonce}{ENCRYPT_KEY}{body}")));
        let mut headers = vec![("content-type", "application/json; charset=utf-8")];
        if is_signed {
            headers.extend([
                ("x-lark-request-timestamp", stamp.as_str()),
                ("x-lark-request-nonce", nonce.as_str()),
                ("x-lark-signature", signature.as_str()),
            ]);
        }
        let mut last = 0;
        for _ in 0..=REPEATS {
            let (status, answer) = call_hook(hook, &headers, body.as_bytes());
            if status == 200 {
                return answer;
            }
            last = status;
        }
        panic!("the hook answers {last}");
    }
}

impl Platform for Feishu {
    fn channel(&self) -> &'static str {
        "feishu"
    }

    fn settings(&self) -> String {
        let base = self.stand_in.base();
        let way = match self.way {
            Way::Socket => String::new(),
            Way::Hook => format!(
                "mode = \"webhook\"\nencrypt_key = \"{ENCRYPT_KEY}\"\nverification_token = \"{VERIFICATION_TOKEN}\"\n"
            ),
        };
        format!("app_id = \"{APP}\"\napp_secret = \"{APP_SECRET}\"\napi_base = \"{base}\"\n{way}")
    }

    fn call_at(&mut self, url: &str) {
        if self.way == Way::Socket {
            return;
        }
        self.hook = Some(url.to_owned());
        let asked = json!({ "challenge": "ajls384kdjx98XX", "token": VERIFICATION_TOKEN, "type": "url_verification" });
        let answer: Value = serde_json::from_str(&self.deliver(&asked, false)).unwrap_or_default();
        assert_eq!(answer["challenge"], "ajls384kdjx98XX", "the challenge is not answered: {answer}");
    }

    fn id(&self, person: usize) -> String {
        format!("ou_{:032x}", 0x0feed + person)
    }

    fn write(&mut self, person: usize, text: &str) {
        let event = self.stand_in.site().message(&self.id(person), text);
        match self.way {
            Way::Hook => drop(self.deliver(&event, true)),
            Way::Socket => self.stand_in.site().queue((event, 0)),
        }
    }

    fn read(&mut self, person: usize) -> String {
        self.stand_in.site().letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.stand_in.site().letters.count(&self.id(person))
    }
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_millis()
}

fn encrypt(plain: &str) -> String {
    let key: [u8; 32] = Sha256::digest(ENCRYPT_KEY).into();
    let vector: [u8; 16] = millis().to_be_bytes();
    let mut buffer = plain.as_bytes().to_vec();
    buffer.resize(plain.len() + 16, 0);
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into());
    let encrypted = cipher.encrypt_padded::<Pkcs7>(&mut buffer, plain.len()).expect("there is room");
    STANDARD.encode([&vector[..], encrypted].concat())
}

fn refused(status: u16, code: i64, said: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "msg": said }))
}

impl Tenant {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn next(&self) -> usize {
        let mut state = self.state();
        state.count += 1;
        state.count
    }

    fn queue(&self, event: (Value, usize)) {
        self.state().events.push_back(event);
        self.came.notify_one();
    }

    async fn next_event(&self) -> (Value, usize) {
        loop {
            if let Some(event) = self.state().events.pop_front() {
                return event;
            }
            self.came.notified().await;
        }
    }

    /// What an app gets when somebody writes to it.
    fn message(&self, person: &str, text: &str) -> Value {
        let (number, now) = (self.next(), millis().to_string());
        json!({
            "schema": "2.0",
            "header": {
                "event_id": format!("{number:032x}"),
                "event_type": "im.message.receive_v1",
                "create_time": now,
                "token": VERIFICATION_TOKEN,
                "app_id": APP,
                "tenant_key": "2ca1d211f64f6438",
            },
            "event": {
                "sender": {
                    "sender_id": {
                        "union_id": person.replace("ou_", "on_"),
                        "user_id": "e33ggbyz",
                        "open_id": person,
                    },
                    "sender_type": "user",
                    "tenant_key": "2ca1d211f64f6438",
                },
                "message": {
                    "message_id": format!("om_{number:032x}"),
                    "create_time": now,
                    "update_time": now,
                    "chat_id": person.replace("ou_", "oc_"),
                    "chat_type": "p2p",
                    "message_type": "text",
                    "content": json!({ "text": text }).to_string(),
                    "user_agent": "Mozilla/5.0",
                },
            },
        })
    }

    fn endpoint(&self, call: &Call) -> Answer {
        let asked = call.json();
        if asked["AppID"] != APP || asked["AppSecret"] != APP_SECRET {
            return Answer::json(200, &json!({ "code": 514, "msg": "auth failed", "data": {} }));
        }
        let ticket = format!("ticket-{}", self.next());
        self.state().tickets.insert(ticket.clone());
        let host = call.header("host").unwrap_or_default();
        let url = format!("ws://{host}/ws/v2?device_id=7&access_key=x&service_id={SERVICE}&ticket={ticket}");
        Answer::json(
            200,
            &json!({ "code": 0, "msg": "", "data": { "URL": url, "ClientConfig": client_config() } }),
        )
    }

    fn token(&self, call: &Call) -> Answer {
        let asked = call.json();
        if asked["app_id"] != APP {
            return refused(200, 10_003, "invalid param");
        }
        if asked["app_secret"] != APP_SECRET {
            return refused(200, 10_014, "app secret invalid");
        }
        Answer::json(200, &json!({ "code": 0, "msg": "ok", "tenant_access_token": token(), "expire": 7_200 }))
    }

    fn send(&self, call: &Call) -> Answer {
        let asked = call.json();
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        let content: Value = serde_json::from_str(&text("content")).unwrap_or_default();
        let (person, uuid) = (text("receive_id"), text("uuid"));
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let body = content["text"].as_str().unwrap_or_default();
        if !is_json || text("msg_type") != "text" || body.is_empty() || uuid.len() > 50 {
            return refused(400, 230_001, "Your request contains an invalid request parameter.");
        }
        if call.parameter("receive_id_type").as_deref() != Some("open_id") || !person.starts_with("ou_") {
            return refused(400, 230_034, "The receive_id is invalid.");
        }
        if call.body.len() > 150 * 1024 {
            return refused(400, 230_025, "The length of the message content reaches its limit.");
        }
        let new = format!("om_{:032x}", self.next());
        let mut state = self.state();
        let known = state.sent.get(&uuid).filter(|_| !uuid.is_empty()).cloned();
        let id = known.clone().unwrap_or(new);
        state.sent.insert(uuid, id.clone());
        drop(state);
        if known.is_none() {
            self.letters.put(&person, body);
        }
        let message =
            json!({ "message_id": id, "msg_type": "text", "chat_id": person.replace("ou_", "oc_") });
        Answer::json(200, &json!({ "code": 0, "msg": "success", "data": message }))
    }
}

fn token() -> String {
    "t-token-of-the-stand-in".to_owned()
}

fn client_config() -> Value {
    json!({ "PingInterval": 120, "ReconnectCount": -1, "ReconnectInterval": 120, "ReconnectNonce": 30 })
}

#[async_trait]
impl Site for Tenant {
    async fn answer(&self, call: Call) -> Answer {
        match (&call.method, call.path.as_str()) {
            (&Method::POST, "/callback/ws/endpoint") => return self.endpoint(&call),
            (&Method::POST, "/open-apis/auth/v3/tenant_access_token/internal") => return self.token(&call),
            _ => {}
        }
        if call.bearer() != Some(&token()) {
            return refused(
                400,
                99_991_663,
                "Invalid access token for authorization. Please make a test attempt with the correct token.",
            );
        }
        match (&call.method, call.path.as_str()) {
            (&Method::GET, "/open-apis/bot/v3/info") => Answer::json(
                200,
                &json!({
                    "code": 0, "msg": "ok",
                    "bot": { "activate_status": 2, "app_name": "gate", "open_id": "ou_00000000000000000000000000000b07" },
                }),
            ),
            (&Method::POST, "/open-apis/im/v1/messages") => self.send(&call),
            _ => refused(404, 99_991_400, "no such path"),
        }
    }

    fn refuses(&self, call: &Call) -> Option<StatusCode> {
        let ticket = call.parameter("ticket").unwrap_or_default();
        let is_good = call.path == "/ws/v2" && self.state().tickets.remove(&ticket);
        (!is_good).then_some(StatusCode::FORBIDDEN)
    }

    async fn converse(&self, _call: Call, mut socket: Socket) {
        loop {
            let (event, tries) = tokio::select! {
                event = self.next_event() => event,
                frame = socket.next() => match frame {
                    Some(frame) => {
                        pong(&mut socket, Frame::of(&frame)).await;
                        continue;
                    }
                    None => return,
                },
            };
            let number = self.next();
            let payload = event.to_string();
            let parts = 1 + number % 2;
            for (at, part) in payload.as_bytes().chunks(payload.len().div_ceil(parts)).enumerate().rev() {
                socket.send_bytes(Frame::event(SERVICE, number, parts, at, part).encode()).await;
            }
            let answered = async {
                loop {
                    let frame = Frame::of(&socket.next().await?);
                    if frame.is_answer_to(number) {
                        let answer: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
                        return Some(answer["code"] == 200);
                    }
                    pong(&mut socket, frame).await;
                }
            };
            let answered = tokio::time::timeout(PATIENCE, answered).await;
            if answered != Ok(Some(true)) && tries < REPEATS {
                self.queue((event, tries + 1));
            }
            if answered == Ok(None) {
                return;
            }
        }
    }
}

/// Answers a sign of life.
async fn pong(socket: &mut Socket, frame: Frame) {
    if frame.is_ping(SERVICE) {
        socket.send_bytes(Frame::pong(SERVICE, client_config().to_string().as_bytes()).encode()).await;
    }
}
