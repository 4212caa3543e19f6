//! WeChat's iLink server, as the protocol of Tencent's plugin for OpenClaw has it: one bot, and a server for files.
//!
//! A code that is shown is scanned by the first person as soon as it is asked after: they are sent to another host, which
//! is this one, type a number ([`Weixin::NUMBER`]), and confirm.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Answer, Call, Letters, Platform, Site, StandIn};

/// The bot's id.
const BOT: &str = "b0f5860fdecb@im.bot";

/// How long a poll is held.
const HOLD: Duration = Duration::from_secs(35);

/// What the server says of a token that is none.
const EXPIRED: i64 = -14;

/// The server.
#[derive(Debug)]
pub struct Weixin(StandIn<Server>);

#[derive(Debug, Default)]
struct Server {
    state: Mutex<State>,
    /// How many messages there are.
    written: watch::Sender<usize>,
    letters: Letters,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Value>,
    /// The last token of each person, for answers.
    contexts: HashMap<String, String>,
    /// How many tokens were given out; the last one counts.
    logins: usize,
    /// How often each code was asked after.
    codes: HashMap<String, usize>,
    files: HashMap<String, Bytes>,
}

impl Weixin {
    /// What WeChat on the telephone shows.
    pub const NUMBER: &'static str = "42";

    /// Starts it, with a bot that was logged in before.
    pub fn start() -> Self {
        let weixin = Self(StandIn::start(Server::default()));
        weixin.0.site().state().logins = 1;
        weixin
    }

    /// Where it is, in TOML: the settings of a bot that nobody has logged in.
    pub fn place(&self) -> String {
        let base = self.0.base();
        format!("api_base = \"{base}\"\ncdn_base = \"{base}/c2c\"\n")
    }

    /// Ends the login: its token is not taken any more.
    pub fn expire(&self) {
        self.0.site().state().logins += 1;
    }
}

impl Platform for Weixin {
    fn channel(&self) -> &'static str {
        "openclaw-weixin"
    }

    fn settings(&self) -> String {
        format!("token = \"{}\"\n{}", self.0.site().state().token(), self.place())
    }

    fn id(&self, person: usize) -> String {
        format!("o9cq8person{person}@im.wechat")
    }

    fn write(&mut self, person: usize, text: &str) {
        let (server, from) = (self.0.site(), self.id(person));
        let mut state = server.state();
        let number = state.messages.len() + 1;
        let context = STANDARD.encode(format!("context {number} of {from}"));
        state.contexts.insert(from.clone(), context.clone());
        // Numbers that a float would round.
        let id = 7_423_918_273_645_182_734 + u64::try_from(number).unwrap();
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let stamp = u64::try_from(stamp).unwrap();
        state.messages.push(json!({
            "seq": number, "message_id": id, "from_user_id": from, "to_user_id": BOT, "client_id": "",
            "create_time_ms": stamp, "session_id": "", "group_id": "", "message_type": 1, "message_state": 2,
            "item_list": [{
                "type": 1, "create_time_ms": stamp, "is_completed": true, "msg_id": id.to_string(),
                "text_item": { "text": text },
            }],
            "context_token": context,
        }));
        drop(state);
        server.written.send_replace(number);
    }

    fn read(&mut self, person: usize) -> String {
        self.0.site().letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.0.site().letters.count(&self.id(person))
    }
}

impl State {
    fn token(&self) -> String {
        format!("token-{}-of-the-bot", self.logins)
    }
}

#[async_trait]
impl Site for Server {
    async fn answer(&self, call: Call) -> Answer {
        match (&call.method, call.path.as_str()) {
            (&Method::POST, "/ilink/bot/get_bot_qrcode") => self.code(&call),
            (&Method::GET, "/ilink/bot/get_qrcode_status") => self.standing(&call),
            (&Method::POST, "/c2c/upload") => self.upload(&call),
            (&Method::GET, "/c2c/download") => self.download(&call),
            (&Method::POST, path) => {
                if let Err(reason) = is_well_formed(&call) {
                    return Answer::json(400, &json!({ "errmsg": reason }));
                }
                if call.bearer() != Some(self.state().token().as_str()) {
                    return refused(EXPIRED, "session timeout");
                }
                match path {
                    "/ilink/bot/getupdates" => self.updates(&call).await,
                    "/ilink/bot/sendmessage" => self.take(&call),
                    "/ilink/bot/getconfig" => self.ticket(&call),
                    "/ilink/bot/sendtyping" => self.typing(&call),
                    "/ilink/bot/getuploadurl" => upload_url(&call),
                    "/ilink/bot/msg/notifystart" | "/ilink/bot/msg/notifystop" => done(),
                    _ => Answer::status(404),
                }
            }
            _ => Answer::status(404),
        }
    }
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn updates(&self, call: &Call) -> Answer {
        let cursor = call.json()["get_updates_buf"].as_str().unwrap_or_default().to_owned();
        let place = match cursor.as_str() {
            "" => Some(0),
            cursor => {
                STANDARD.decode(cursor).ok().and_then(|text| String::from_utf8(text).ok()?.parse().ok())
            }
        };
        let Some(place) = place else { return refused(-1, "no such place") };
        let mut written = self.written.subscribe();
        let _ = tokio::time::timeout(HOLD, written.wait_for(|written| *written > place)).await;
        let state = self.state();
        if call.bearer() != Some(state.token().as_str()) {
            return refused(EXPIRED, "session timeout");
        }
        // What is zero is left out, as the server does.
        Answer::json(
            200,
            &json!({
                "msgs": state.messages.get(place..).unwrap_or_default(),
                "get_updates_buf": STANDARD.encode(state.messages.len().max(place).to_string()),
                "longpolling_timeout_ms": u64::try_from(HOLD.as_millis()).unwrap(),
            }),
        )
    }

    fn take(&self, call: &Call) -> Answer {
        let body = call.json();
        let (message, items) = (&body["msg"], &body["msg"]["item_list"]);
        let to = message["to_user_id"].as_str().unwrap_or_default();
        let text = items[0]["text_item"]["text"].as_str().unwrap_or_default();
        let is_good = message["from_user_id"] == ""
            && message["message_type"] == 2
            && message["message_state"] == 2
            && message["client_id"].as_str().is_some_and(|id| !id.is_empty())
            && items.as_array().is_some_and(|items| items.len() == 1)
            && items[0]["type"] == 1
            && !text.is_empty();
        if !is_good {
            return refused(-1, "malformed message");
        }
        let context = self.state().contexts.get(to).cloned();
        if context.is_none() || context.as_deref() != message["context_token"].as_str() {
            return refused(-2, "no context for this user");
        }
        self.letters.put(to, text);
        Answer::json(200, &json!({ "message_id": u64::MAX }))
    }

    fn ticket(&self, call: &Call) -> Answer {
        match call.json()["ilink_user_id"].as_str() {
            Some(person) if self.state().contexts.contains_key(person) => {
                Answer::json(200, &json!({ "ret": 0, "typing_ticket": STANDARD.encode(person) }))
            }
            _ => refused(-2, "no such user"),
        }
    }

    fn typing(&self, call: &Call) -> Answer {
        let body = call.json();
        let ticket = body["ilink_user_id"].as_str().map(|person| STANDARD.encode(person));
        let is_good = body["typing_ticket"].as_str() == ticket.as_deref()
            && matches!(body["status"].as_u64(), Some(1 | 2));
        if is_good { done() } else { refused(-2, "no such ticket") }
    }

    fn code(&self, call: &Call) -> Answer {
        if call.parameter("bot_type").as_deref() != Some("3") || !call.json()["local_token_list"].is_array() {
            return refused(-1, "malformed request");
        }
        let mut state = self.state();
        let own = json!(state.token());
        let is_known = call.json()["local_token_list"].as_array().is_some_and(|list| list.contains(&own));
        let code = format!("code/{}{}", state.codes.len() + 1, if is_known { "/known" } else { "" });
        state.codes.insert(code.clone(), 0);
        let shown = format!("https://liteapp.weixin.qq.com/q/stand-in?qrcode={code}&bot_type=3");
        Answer::json(200, &json!({ "qrcode": code, "qrcode_img_content": shown }))
    }

    fn standing(&self, call: &Call) -> Answer {
        if call.header("ilink-app-id") != Some("bot") {
            return Answer::status(400);
        }
        let code = call.parameter("qrcode").unwrap_or_default();
        let mut state = self.state();
        let Some(asked) = state.codes.get_mut(&code) else {
            return Answer::json(200, &json!({ "status": "expired" }));
        };
        *asked += 1;
        let host = call.header("host").unwrap_or_default().to_owned();
        let number = call.parameter("verify_code");
        let standing = match (*asked, number.as_deref()) {
            (1, _) => json!({ "status": "wait" }),
            (2, _) => json!({ "status": "scaned_but_redirect", "redirect_host": host }),
            (3, _) => json!({ "status": "scaned" }),
            (_, None) => json!({ "status": "need_verifycode" }),
            (_, Some(number)) if number != Weixin::NUMBER => json!({ "status": "need_verifycode" }),
            _ if code.ends_with("/known") => json!({ "status": "binded_redirect" }),
            _ => {
                state.logins += 1;
                json!({
                    "status": "confirmed", "bot_token": state.token(), "ilink_bot_id": BOT,
                    "baseurl": format!("http://{host}"), "ilink_user_id": "o9cq8person0@im.wechat",
                })
            }
        };
        Answer::json(200, &standing)
    }

    fn upload(&self, call: &Call) -> Answer {
        if call.body.is_empty() || !call.body.len().is_multiple_of(16) {
            return Answer::status(400).with("x-error-message", "not encrypted");
        }
        let mut state = self.state();
        let name = format!("file/{}+", state.files.len() + 1);
        state.files.insert(name.clone(), call.body.clone());
        Answer::status(200).with("x-encrypted-param", name)
    }

    fn download(&self, call: &Call) -> Answer {
        let name = call.parameter("encrypted_query_param").unwrap_or_default();
        match self.state().files.get(&name) {
            Some(file) => Answer::status(200).body(file.clone()),
            None => Answer::status(404),
        }
    }
}

/// What every call of a bot must have.
fn is_well_formed(call: &Call) -> Result<(), &'static str> {
    let uin = call.header("x-wechat-uin").and_then(|uin| STANDARD.decode(uin).ok());
    let uin = uin.and_then(|uin| String::from_utf8(uin).ok()?.parse::<u32>().ok());
    let version = call.header("ilink-app-clientversion").and_then(|version| version.parse::<u32>().ok());
    let base = &call.json()["base_info"];
    let is_text = |key: &str| base[key].as_str().is_some_and(|text| !text.is_empty());
    match () {
        () if call.header("authorizationtype") != Some("ilink_bot_token") => Err("AuthorizationType"),
        () if call.header("ilink-app-id") != Some("bot") => Err("iLink-App-Id"),
        () if version.is_none() => Err("iLink-App-ClientVersion"),
        () if uin.is_none() => Err("X-WECHAT-UIN"),
        () if call.header("content-type") != Some("application/json") => Err("Content-Type"),
        () if !is_text("channel_version") || !is_text("bot_agent") => Err("base_info"),
        () => Ok(()),
    }
}

fn upload_url(call: &Call) -> Answer {
    let body = call.json();
    let is_good = body["filekey"].is_string() && body["aeskey"].as_str().is_some_and(|key| key.len() == 32);
    if !is_good {
        return refused(-1, "malformed request");
    }
    let host = call.header("host").unwrap_or_default();
    Answer::json(
        200,
        &json!({ "upload_full_url": format!("http://{host}/c2c/upload?encrypted_query_param=x") }),
    )
}

fn done() -> Answer {
    Answer::json(200, &json!({ "ret": 0 }))
}

fn refused(code: i64, said: &str) -> Answer {
    Answer::json(200, &json!({ "ret": code, "errcode": code, "errmsg": said }))
}
