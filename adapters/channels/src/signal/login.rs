//! Linking the daemon to an account, as Signal's own programs for computers are linked to a telephone.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::DaemonError;
use super::config::{Config, Settings};
use crate::login::{Code, LoggedIn, Login, LoginError};

/// How long people may take to find their telephone.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Has the daemon show a code and waits until the telephone has taken it.
pub(super) async fn log_in(login: Login<'_>) -> Result<LoggedIn, LoginError> {
    let config = Config::from_options(login.options)?;
    let Settings { own, daemon } = Settings::check(login.setup.account.channel(), config)?;
    let failed = |error: DaemonError| {
        LoginError::Failed(format!("{error}; the daemon must be started without `-a`, and reach Signal"))
    };
    let begun = daemon.call_plain("startLink", &json!({}), Duration::ZERO).await.map_err(failed)?;
    let uri = begun.get("deviceLinkUri").and_then(Value::as_str);
    let uri = uri.ok_or_else(|| LoginError::Failed("signal-cli gives no code".to_owned()))?;
    login.screen.show(Code::Text(uri)).await;
    login
        .screen
        .say("Scan it with Signal on the telephone: Settings, Linked devices, Link a new device.")
        .await;
    let params = json!({ "deviceLinkUri": uri, "deviceName": "dmgate" });
    let linked = daemon.call_plain("finishLink", &params, PATIENCE).await.map_err(failed)?;
    // It gives the number; older ones give the code back.
    let number = linked.get("number").or(linked.get("account")).and_then(Value::as_str);
    if let Some(number) = number.filter(|number| *number != own.as_str()) {
        return Err(LoginError::Failed(format!(
            "that was the telephone of {}; the configuration has {}",
            dmgate::escape(number),
            own.as_str()
        )));
    }
    Ok(LoggedIn { told: format!("signal-cli is a device of {} now.", own.as_str()), scanned_by: None })
}
