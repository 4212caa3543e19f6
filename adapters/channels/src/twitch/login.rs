//! Logging in with a browser (the device code flow): the owner opens an address, on a telephone by a picture of it, and
//! allows the application to manage the whispers of whoever is logged in there.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::auth::{Granted, SCOPE};
use super::grant::LoggedIn as Kept;
use super::{Config, Twitch};
use crate::api::ApiError;
use crate::kept;
use crate::login::{Code, LoggedIn, Login, LoginError};

/// Nobody waits longer, in seconds, whatever Twitch says.
const LONGEST: u64 = 3_600;

#[derive(Deserialize)]
struct Device {
    device_code: String,
    user_code: String,
    verification_uri: String,
    expires_in: u64,
    #[serde(default)]
    interval: u64,
}

/// Goes from the code to the token.
pub(super) async fn log_in(login: Login<'_>) -> Result<LoggedIn, LoginError> {
    log_in_by(login, Duration::from_secs(1)).await
}

/// The same, where a second lasts so long.
pub(super) async fn log_in_by(login: Login<'_>, second: Duration) -> Result<LoggedIn, LoginError> {
    let config = Config::from_options(login.options)?;
    if config.token.is_some() || config.refresh_token.is_some() {
        let reason = "the configuration gives a token; take `token` and `refresh_token` out of it to log in"
            .to_owned();
        return Err(LoginError::Failed(reason));
    }
    let (account, keeper) = (login.setup.account.clone(), login.setup.login.clone());
    let twitch = Twitch::open(login.setup, config)?;
    let told = |error: ApiError| LoginError::Failed(error.to_string());
    let asked = twitch.tokens.post("device", &[("scopes", SCOPE)]).await.map_err(told)?;
    let device: Option<Device> =
        serde_json::from_slice(&asked.body).ok().filter(|_| asked.status.is_success());
    let device = device.ok_or_else(|| {
        let said: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let said = said.get("message").and_then(Value::as_str).unwrap_or("no code");
        LoginError::Failed(format!("Twitch gives no code ({}); check `client_id`", dmgate::escape(said)))
    })?;
    login.screen.show(Code::Text(&device.verification_uri)).await;
    let address = dmgate::escape(&device.verification_uri);
    let code = dmgate::escape(&device.user_code);
    login
        .screen
        .say(&format!(
            "Open {address} as the user who is to be written to, and allow it (the code is {code})."
        ))
        .await;

    let tries = device.expires_in.min(LONGEST) / device.interval.clamp(1, 60);
    let interval = second.saturating_mul(u32::try_from(device.interval.clamp(1, 60)).unwrap_or(1));
    let form = [
        ("scopes", SCOPE),
        ("device_code", device.device_code.as_str()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ];
    for _ in 1..tries {
        sleep(interval).await;
        // What is lost on its way is asked for again.
        let Ok(answer) = twitch.tokens.post("token", &form).await else { continue };
        let granted: Option<Granted> =
            serde_json::from_slice(&answer.body).ok().filter(|_| answer.status.is_success());
        if let Some(refresh_token) = granted.and_then(|granted| granted.refresh_token) {
            let kept = kept::Kept::<Kept>::new(account, keeper);
            kept.change(|login| login.refresh_token = Some(refresh_token)).await;
            return Ok(LoggedIn { told: "Logged in.".to_owned(), scanned_by: None });
        }
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        // Everything else will pass: that nobody has allowed it yet, above all.
        if said.get("message").and_then(Value::as_str) == Some("invalid device code") {
            break;
        }
    }
    Err(LoginError::Failed("nobody allowed it in time; log in again for another code".to_owned()))
}
