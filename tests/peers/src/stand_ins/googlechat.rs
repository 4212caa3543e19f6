//! Google Chat for one app: the Chat API, Google's keys, and the place where tokens are had.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{Answer, Call, Letters, Platform, SigningKey, Site, StandIn, call_hook};

const PROJECT: &str = "123456789012";
const ADD_ON: &str = "service-123456789012@gcp-sa-gsuiteaddons.iam.gserviceaccount.com";
const CHAT: &str = "chat@system.gserviceaccount.com";
const ACCOUNT: &str = "the-bot@the-project.iam.gserviceaccount.com";
const SCOPE: &str = "https://www.googleapis.com/auth/chat.bot";

/// A running Google Chat.
#[derive(Debug)]
pub struct GoogleChat {
    server: StandIn<Google>,
    is_add_on: bool,
    hook: String,
    written: usize,
}

/// What Google's servers do.
#[derive(Debug)]
struct Google {
    /// Signs ID tokens, and what Chat itself signs.
    key: SigningKey,
    /// The service account's.
    account: SigningKey,
    letters: Letters,
    /// The spaces that there are.
    spaces: Mutex<HashSet<String>>,
    /// What was written, by the id of its request.
    requests: Mutex<HashMap<String, Value>>,
}

impl GoogleChat {
    /// An app that is a Workspace add-on, called with ID tokens for its address.
    pub fn as_add_on() -> Self {
        Self::start(true)
    }

    /// An app of the older kind, called with tokens for the number of its project.
    pub fn by_project() -> Self {
        Self::start(false)
    }

    fn start(is_add_on: bool) -> Self {
        let google = Google {
            key: SigningKey::make("googles-key"),
            account: SigningKey::make("the-accounts-key"),
            letters: Letters::default(),
            spaces: Mutex::default(),
            requests: Mutex::default(),
        };
        Self { server: StandIn::start(google), is_add_on, hook: String::new(), written: 0 }
    }

    /// The key of the service account, as Google gives it.
    fn account_key(&self) -> Value {
        let key = &self.server.site().account;
        json!({
            "type": "service_account",
            "project_id": "the-project",
            "private_key_id": key.id(),
            "private_key": key.private_key(),
            "client_email": ACCOUNT,
            "client_id": "100000000000000000009",
            "token_uri": format!("{}/token", self.server.base()),
        })
    }

    fn event(&self, person: usize, text: &str) -> Value {
        let user = json!({
            "name": self.id(person),
            "displayName": format!("Person {person}"),
            "email": format!("person{person}@example.com"),
            "type": "HUMAN",
        });
        let space = space(person);
        let name = format!("{space}/messages/m{0}.m{0}", self.written);
        let thread = json!({ "name": format!("{space}/threads/m{}", self.written) });
        let time = time();
        let message = json!({
            "name": name, "sender": user, "createTime": time, "text": text, "argumentText": text, "thread": thread,
            "space": { "name": space },
        });
        let space =
            json!({ "name": space, "type": "DM", "singleUserBotDm": true, "spaceType": "DIRECT_MESSAGE" });
        if self.is_add_on {
            let payload = json!({ "space": space, "message": message });
            json!({ "chat": { "user": user, "eventTime": time, "messagePayload": payload } })
        } else {
            json!({ "type": "MESSAGE", "eventTime": time, "space": space, "message": message, "user": user })
        }
    }

    fn token(&self) -> String {
        let now = seconds();
        let claims = if self.is_add_on {
            json!({
                "iss": "https://accounts.google.com", "aud": self.hook, "azp": "100000000000000000008",
                "sub": "100000000000000000008", "email": ADD_ON, "email_verified": true, "iat": now,
                "exp": now + 3_600,
            })
        } else {
            json!({ "iss": CHAT, "aud": PROJECT, "iat": now, "exp": now + 3_600 })
        };
        self.server.site().key.token(&claims)
    }
}

impl Platform for GoogleChat {
    fn channel(&self) -> &'static str {
        "googlechat"
    }

    fn settings(&self) -> String {
        let (base, key) = (self.server.base(), json!(self.account_key().to_string()));
        let who = if self.is_add_on {
            format!("addon_identity = \"{ADD_ON}\"")
        } else {
            format!("audience = \"{PROJECT}\"")
        };
        format!("service_account = {key}\napi_base = \"{base}\"\ncerts_base = \"{base}\"\n{who}\n")
    }

    fn call_at(&mut self, url: &str) {
        url.clone_into(&mut self.hook);
    }

    fn id(&self, person: usize) -> String {
        format!("users/{}", 100_000_000_000_000_000_001_u128 + person as u128)
    }

    fn write(&mut self, person: usize, text: &str) {
        self.written += 1;
        self.server.site().spaces.lock().unwrap().insert(space(person));
        let token = format!("Bearer {}", self.token());
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let event = self.event(person, text).to_string();
        let (status, body) = call_hook(&self.hook, &headers, event.as_bytes());
        assert_eq!((status, body.as_str()), (200, "{}"), "the app's answer");
    }

    fn read(&mut self, person: usize) -> String {
        self.server.site().letters.take(&space(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.server.site().letters.count(&space(person))
    }
}

#[async_trait]
impl Site for Google {
    async fn answer(&self, call: Call) -> Answer {
        let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        let certificates = || Answer::json(200, &json!({ self.key.id(): self.key.certificate() }));
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", ["oauth2", "v3", "certs"]) => {
                let mut key = self.key.jwk();
                key["alg"] = json!("RS256");
                Answer::json(200, &json!({ "keys": [key] }))
            }
            ("GET", ["oauth2", "v1", "certs"]) => certificates(),
            ("GET", ["service_accounts", "v1", "metadata", "x509", CHAT]) => certificates(),
            ("POST", ["token"]) => self.token(&call),
            ("GET", ["v1", "spaces:findDirectMessage"]) => self.find(&call),
            ("POST", ["v1", "spaces", space, "messages"]) => self.write(&call, &format!("spaces/{space}")),
            _ => Answer::status(404),
        }
    }
}

impl Google {
    /// A token for an assertion of the service account's.
    fn token(&self, call: &Call) -> Answer {
        let refuse = |error: &str, told: &str| {
            Answer::json(400, &json!({ "error": error, "error_description": told }))
        };
        if call.field("grant_type").as_deref() != Some("urn:ietf:params:oauth:grant-type:jwt-bearer") {
            return refuse("unsupported_grant_type", "Invalid grant_type");
        }
        let assertion = call.field("assertion").unwrap_or_default();
        let Some(claims) = self.account.read(&assertion) else {
            return refuse("invalid_grant", "Invalid JWT Signature.");
        };
        let host = call.header("host").unwrap_or_default();
        let audience = claims["aud"].as_str().unwrap_or_default();
        // Google's own libraries name Google's address, wherever they are sent to.
        let is_here = [format!("http://{host}/token"), "https://oauth2.googleapis.com/token".to_owned()];
        let (begin, end) = (claims["iat"].as_u64().unwrap_or(0), claims["exp"].as_u64().unwrap_or(0));
        let now = seconds();
        let is_now = begin <= now + 300 && now < end && end - begin <= 3_600;
        if claims["iss"] != ACCOUNT || !is_here.iter().any(|here| here == audience) || !is_now {
            return refuse("invalid_grant", "Invalid JWT: issuer, audience or time");
        }
        if claims["scope"] != SCOPE {
            return refuse("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
        }
        let token = json!({ "access_token": access_token(), "expires_in": 3_599, "token_type": "Bearer" });
        Answer::json(200, &token)
    }

    fn find(&self, call: &Call) -> Answer {
        if call.bearer() != Some(&access_token()) {
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        }
        let user = call.parameter("name").unwrap_or_default();
        let person = user.strip_prefix("users/").and_then(|number| number.parse::<u128>().ok());
        let person =
            person.and_then(|number| usize::try_from(number.checked_sub(100_000_000_000_000_000_001)?).ok());
        match person.map(space).filter(|space| self.spaces.lock().unwrap().contains(space)) {
            Some(name) => Answer::json(
                200,
                &json!({ "name": name, "type": "DM", "singleUserBotDm": true, "spaceType": "DIRECT_MESSAGE" }),
            ),
            None => error(404, "NOT_FOUND", "No direct message found"),
        }
    }

    fn write(&self, call: &Call, space: &str) -> Answer {
        if call.bearer() != Some(&access_token()) {
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        }
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let text = call.json()["text"].as_str().unwrap_or_default().to_owned();
        if !is_json || text.is_empty() || text.chars().count() > 4_096 {
            return error(400, "INVALID_ARGUMENT", "Message cannot be empty, and not be longer than 4096.");
        }
        if !self.spaces.lock().unwrap().contains(space) {
            return error(403, "PERMISSION_DENIED", "This Chat app is not a member of this space.");
        }
        let mut requests = self.requests.lock().unwrap();
        let id = call.parameter("requestId").unwrap_or_else(|| format!("none {}", requests.len()));
        let name = format!("{space}/messages/b{}", requests.len());
        let message = requests.entry(id).or_insert_with(|| {
            self.letters.put(space, &text);
            json!({ "name": name, "text": text, "createTime": time(), "space": { "name": space } })
        });
        Answer::json(200, message)
    }
}

fn error(code: u16, status: &str, message: &str) -> Answer {
    Answer::json(code, &json!({ "error": { "code": code, "message": message, "status": status } }))
}

fn access_token() -> String {
    "ya29.the-bots-token".to_owned()
}

fn space(person: usize) -> String {
    format!("spaces/jLQ7Di_A-{person}")
}

fn seconds() -> u64 {
    jiff::Timestamp::now().as_second().unsigned_abs()
}

/// Now, as Google writes it.
fn time() -> String {
    jiff::Timestamp::now().to_string()
}
