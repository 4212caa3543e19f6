//! Where tokens are had.

use serde_json::json;

use super::{BOT, login, refusal, scopes};
use crate::{Answer, Call};

/// The application.
pub(super) const CLIENT: &str = "hof5gwx0su6owfnys0nyan9c87zr6t";
pub(super) const CLIENT_SECRET: &str = "41vpdji4e9gif29md0ouet6fktd2";

/// Seconds that a user's token lasts.
const LASTS: u64 = 14_124;

/// Whose a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    User,
    App,
}

/// The tokens that count.
#[derive(Debug)]
pub(super) struct Tokens {
    /// What renews the user's token; each is good once.
    pub(super) refresh_token: String,
    given: Vec<(String, Holder)>,
    /// How often a device code was asked for.
    asked: u32,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            refresh_token: "gdw3k62zpqi0kw01escg7zgbdhtxi6hm0155tiwcztxczkx17".to_owned(),
            given: Vec::new(),
            asked: 0,
        }
    }
}

impl Tokens {
    pub(super) fn holder(&self, token: &str) -> Option<Holder> {
        self.given.iter().find(|(given, _)| given == token).map(|(_, holder)| *holder)
    }

    pub(super) fn answer(&mut self, path: &str, call: &Call) -> Answer {
        // Twitch takes a form, or a query.
        let field = |name: &str| call.field(name).or_else(|| call.parameter(name)).unwrap_or_default();
        if path == "validate" {
            let token = call.header("authorization").and_then(|given| given.strip_prefix("OAuth "));
            return match token.and_then(|token| self.holder(token)) {
                Some(Holder::User) => Answer::json(
                    200,
                    &json!({
                        "client_id": CLIENT, "login": login(BOT), "scopes": scopes(), "user_id": BOT.to_string(),
                        "expires_in": LASTS,
                    }),
                ),
                Some(Holder::App) => {
                    Answer::json(200, &json!({ "client_id": CLIENT, "scopes": [], "expires_in": LASTS }))
                }
                None => Answer::json(401, &json!({ "status": 401, "message": "invalid access token" })),
            };
        }
        if field("client_id") != CLIENT {
            return refusal(400, "invalid client");
        }
        let is_confidential = field("client_secret") == CLIENT_SECRET;
        match (path, field("grant_type").as_str()) {
            ("device", _) => {
                self.asked = 0;
                Answer::json(
                    200,
                    &json!({
                        "device_code": "ike3GM8QIdYZs43KdrWPIO36LofILoCyFEzjlQ91", "expires_in": 1800, "interval": 1,
                        "user_code": "ABCDEFGH",
                        "verification_uri": "https://www.twitch.tv/activate?public=true&device-code=ABCDEFGH",
                    }),
                )
            }
            // The user allows it when it is asked for a second time.
            ("token", "urn:ietf:params:oauth:grant-type:device_code") => {
                self.asked += 1;
                match (field("device_code").starts_with("ike3GM8"), self.asked) {
                    (true, 2) => self.give_user(),
                    (true, 1) => refusal(400, "authorization_pending"),
                    _ => refusal(400, "invalid device code"),
                }
            }
            ("token", "refresh_token") if !is_confidential => refusal(403, "invalid client secret"),
            ("token", "refresh_token") if field("refresh_token") == self.refresh_token => self.give_user(),
            ("token", "refresh_token") => refusal(400, "Invalid refresh token"),
            ("token", "client_credentials") if is_confidential => {
                let token = self.give(Holder::App);
                Answer::json(
                    200,
                    &json!({ "access_token": token, "expires_in": 5_011_271, "token_type": "bearer" }),
                )
            }
            ("token", "client_credentials") => refusal(403, "invalid client secret"),
            _ => refusal(404, "not found"),
        }
    }

    fn give_user(&mut self) -> Answer {
        let token = self.give(Holder::User);
        self.refresh_token = format!("refresh{:043}", self.given.len());
        Answer::json(
            200,
            &json!({
                "access_token": token, "refresh_token": self.refresh_token, "expires_in": LASTS, "scope": scopes(),
                "token_type": "bearer",
            }),
        )
    }

    fn give(&mut self, holder: Holder) -> String {
        let token = format!("access{:024}", self.given.len());
        self.given.push((token.clone(), holder));
        token
    }
}
