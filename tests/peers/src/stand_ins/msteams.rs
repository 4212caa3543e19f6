//! Microsoft Teams for one bot: the Bot Connector, the keys that it signs with, and the place where tokens are had.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::json;

use crate::{Answer, Call, Letters, Platform, SigningKey, Site, StandIn, call_hook};

const APP_ID: &str = "11111111-2222-3333-4444-555555555555";
const PASSWORD: &str = "app~passw0rd";
const TENANT: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";
const ISSUER: &str = "https://api.botframework.com";

/// A running Teams.
#[derive(Debug)]
pub struct Teams {
    server: StandIn<Connector>,
    hook: String,
    written: usize,
}

/// What Microsoft's servers do.
#[derive(Debug)]
struct Connector {
    key: SigningKey,
    letters: Letters,
    /// The conversations that somebody has begun.
    open: Mutex<HashSet<String>>,
}

impl Teams {
    /// Starts it.
    pub fn start() -> Self {
        let connector = Connector {
            key: SigningKey::make("the-connectors-key"),
            letters: Letters::default(),
            open: Mutex::default(),
        };
        Self { server: StandIn::start(connector), hook: String::new(), written: 0 }
    }

    fn service(&self) -> String {
        format!("{}/amer/{TENANT}/", self.server.base())
    }
}

impl Platform for Teams {
    fn channel(&self) -> &'static str {
        "msteams"
    }

    fn settings(&self) -> String {
        let base = self.server.base();
        format!(
            "app_id = \"{APP_ID}\"\napp_password = \"{PASSWORD}\"\ntenant_id = \"{TENANT}\"\n\
             service_urls = [\"{base}\"]\nopenid_base = \"{base}/v1\"\nlogin_base = \"{base}\"\n"
        )
    }

    fn call_at(&mut self, url: &str) {
        url.clone_into(&mut self.hook);
    }

    fn id(&self, person: usize) -> String {
        format!("00000000-1111-2222-3333-{person:012}")
    }

    fn write(&mut self, person: usize, text: &str) {
        self.written += 1;
        let conversation = conversation(person);
        self.server.site().open.lock().unwrap().insert(conversation.clone());
        let service = self.service();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_secs();
        let activity = json!({
            "text": text,
            "textFormat": "plain",
            "type": "message",
            "id": format!("{now}{:04}", self.written),
            "channelId": "msteams",
            "serviceUrl": service,
            "from": { "id": teams_id(person), "name": format!("Person {person}"), "aadObjectId": self.id(person) },
            "conversation": { "conversationType": "personal", "tenantId": TENANT, "id": conversation },
            "recipient": { "id": format!("28:{APP_ID}"), "name": "Bot" },
            "channelData": { "tenant": { "id": TENANT } },
        });
        let claims = json!({
            "serviceurl": service, "nbf": now, "exp": now + 3_600, "iss": ISSUER, "aud": APP_ID,
        });
        let token = format!("Bearer {}", self.server.site().key.token(&claims));
        let headers =
            [("authorization", token.as_str()), ("content-type", "application/json; charset=utf-8")];
        let (status, body) = call_hook(&self.hook, &headers, activity.to_string().as_bytes());
        assert!((200..300).contains(&status), "the bot answers {status}: {body}");
    }

    fn read(&mut self, person: usize) -> String {
        self.server.site().letters.take(&conversation(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.server.site().letters.count(&conversation(person))
    }
}

#[async_trait]
impl Site for Connector {
    async fn answer(&self, call: Call) -> Answer {
        let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", ["v1", ".well-known", "openidconfiguration"]) => {
                let host = call.header("host").unwrap_or_default();
                let metadata = json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": "https://invalid.botframework.com",
                    "jwks_uri": format!("http://{host}/v1/.well-known/keys"),
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                });
                Answer::json(200, &metadata)
            }
            ("GET", ["v1", ".well-known", "keys"]) => {
                let mut key = self.key.jwk();
                key["x5t"] = json!(self.key.id());
                key["endorsements"] = json!(["msteams", "webchat", "skype"]);
                Answer::json(200, &json!({ "keys": [key] }))
            }
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => token(&call, tenant),
            ("POST", ["amer", TENANT, "v3", "conversations", conversation, "activities"]) => {
                self.post(&call, conversation)
            }
            _ => Answer::status(404),
        }
    }
}

impl Connector {
    /// An activity of the bot's.
    fn post(&self, call: &Call, conversation: &str) -> Answer {
        if call.bearer() != Some(&access_token()) {
            return error(401, "Unauthorized", "Authorization has been denied for this request.");
        }
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let activity = call.json();
        let is_ours = activity["from"]["id"].as_str().is_none_or(|from| from == format!("28:{APP_ID}"));
        let conversation = decoded(conversation);
        if !is_json || !is_ours || !activity["type"].is_string() {
            return error(400, "BadSyntax", "Bad format of activity");
        }
        if !self.open.lock().unwrap().contains(&conversation) {
            return error(404, "ConversationNotFound", "Conversation not found.");
        }
        if call.body.len() > 28 * 1024 {
            return error(413, "MessageSizeTooBig", "Message size too large.");
        }
        if activity["type"] == "message" {
            self.letters.put(&conversation, activity["text"].as_str().unwrap_or_default());
        }
        Answer::json(201, &json!({ "id": "1767378504355" }))
    }
}

/// What Microsoft's login gives an application for its secret.
fn token(call: &Call, tenant: &str) -> Answer {
    let is = |name: &str, value: &str| call.field(name).as_deref() == Some(value);
    let refuse = |status, error: &str, code: u32| {
        let told = format!("AADSTS{code}: refused by the stand-in.");
        Answer::json(status, &json!({ "error": error, "error_description": told, "error_codes": [code] }))
    };
    if tenant != TENANT {
        return refuse(400, "invalid_request", 90_002);
    }
    if !is("grant_type", "client_credentials") {
        return refuse(400, "unsupported_grant_type", 70_003);
    }
    if !is("scope", &format!("{ISSUER}/.default")) {
        return refuse(400, "invalid_scope", 70_011);
    }
    if !is("client_id", APP_ID) || !is("client_secret", PASSWORD) {
        return refuse(401, "invalid_client", 7_000_215);
    }
    let token = access_token();
    Answer::json(
        200,
        &json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token }),
    )
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
}

fn access_token() -> String {
    "the-bots.access.token".to_owned()
}

fn conversation(person: usize) -> String {
    // With everything that has to be encoded in a path.
    format!("a:1/7+N=ditBRO5pbPlIimLiU0g7vfMqIYTPwqILZJq-{person}")
}

fn teams_id(person: usize) -> String {
    format!("29:1xXxUserBase64IdStringForTeamsPlatformAbcDeFgHiJkLmNoPqRsTuVwXyZ-{person}")
}

/// A segment of a path without its percent signs; `+` is itself there.
fn decoded(segment: &str) -> String {
    let form = format!("x={}", segment.replace('+', "%2B"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
