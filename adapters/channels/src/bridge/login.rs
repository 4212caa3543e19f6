//! Logging in by a bridge, which keeps what comes of it in a place of its own.

use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::escape;
use serde_json::{Value, json};

use super::session::{greeting, hello};
use super::{Config, Link, Overflow};
use crate::adapter::Setup;
use crate::life::End;
use crate::login::{Code, LoggedIn, Login, LoginError, Screen};
use crate::rpc::{Notification, RpcError};

/// How long people may take to find their telephone; codes that are out of date are shown anew meanwhile.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Starts the bridge of `config`, has it log in, and ends it.
pub(crate) async fn log_in(config: Config, login: Login<'_>) -> Result<LoggedIn, LoginError> {
    let Setup { account, programs, .. } = &login.setup;
    let opened = config.means()?.open(account.channel().as_str(), Overflow::Lose, programs).await;
    let mut link = opened.map_err(|reason| LoginError::Failed(format!("no bridge: {reason}")))?;
    let told = match hello(&link.speaker, &greeting(account, "login", None)).await {
        Ok(_) => converse(&mut link, login.screen).await,
        Err(End::Lost(reason) | End::Refused(reason)) => Err(reason),
        Err(_) => Err("the bridge does not say hello".to_owned()),
    };
    // It puts away what it got.
    link.end().await;
    Ok(LoggedIn { told: told.map_err(LoginError::Failed)?, scanned_by: None })
}

/// Shows what the bridge shows until it is logged in; how that is told, or why it is not.
async fn converse(link: &mut Link, screen: &mut dyn Screen) -> Result<String, String> {
    let speaker = link.speaker.clone();
    let params = json!({});
    let mut answer = pin!(speaker.call("login", &params, PATIENCE));
    loop {
        let said = tokio::select! {
            // A bridge that has answered may end at once.
            biased;
            said = &mut answer => return match said {
                Ok(said) => Ok(told(&said).unwrap_or_else(|| "Logged in.".to_owned())),
                Err(RpcError::Refused { message, .. }) => Err(message),
                Err(error) => Err(format!("the bridge: {error}")),
            },
            said = link.hear() => said,
        };
        let Some(said) = said else { return Err(format!("the bridge {}", link.ended().await)) };
        show(link, screen, said).await;
    }
}

async fn show(link: &Link, screen: &mut dyn Screen, said: Notification) {
    let Notification { method, params, id, .. } = said;
    match method.as_str() {
        "login" => {
            let text = |name: &str| params.get(name).and_then(Value::as_str);
            if let Some(code) = text("code") {
                screen.show(Code::Text(code)).await;
            } else if let Some(picture) = text("picture").and_then(|picture| STANDARD.decode(picture).ok()) {
                screen.show(Code::Picture(&picture)).await;
            }
            if let Some(told) = told(&params) {
                screen.say(&told).await;
            }
        }
        "ask" => {
            let question = told(&params).unwrap_or_default();
            let answer = screen.ask(&question).await;
            if let Some(id) = id {
                let _ = link.speaker.answer(&id, &json!({ "answer": answer })).await;
            }
        }
        _ => {}
    }
}

fn told(said: &Value) -> Option<String> {
    said.get("told").and_then(Value::as_str).filter(|told| !told.is_empty()).map(escape)
}
