//! Calls of the daemon.

use std::fmt;
use std::time::Duration;

use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Map, Value, json};

use crate::api::{Api, ApiError};
use crate::client::{Endless, with_json};
use crate::rpc::NO_METHOD;

/// How long the daemon may take; it asks Signal's servers meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon, for one account.
pub(super) struct Daemon {
    api: Api,
    /// Our own number.
    account: String,
}

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum DaemonError {
    /// It was not reached, or did not answer.
    Api(ApiError),
    /// It says no.
    Refused {
        code: i64,
        /// Escaped.
        message: String,
        /// What it did all the same; null for nothing.
        response: Value,
    },
}

impl Daemon {
    pub(super) fn new(base: &str, account: &str) -> Result<Self, String> {
        // Nothing secret is said over it: whoever reaches it is the account.
        let api = Api::new("signal-cli", base, None, Vec::new(), PATIENCE)?;
        Ok(Self { api, account: account.to_owned() })
    }

    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Calls a method for our account.
    pub(super) async fn call(&self, method: &str, params: Map<String, Value>) -> Result<Value, DaemonError> {
        self.ask(self.for_account(method, params)?, Duration::ZERO).await
    }

    /// Calls a method that is nobody's, and may take `longer` than others.
    pub(super) async fn call_plain(
        &self,
        method: &str,
        params: &Value,
        longer: Duration,
    ) -> Result<Value, DaemonError> {
        self.ask(self.request(method, params)?, longer).await
    }

    /// A call of a method for our account, to be made.
    pub(super) fn for_account(
        &self,
        method: &str,
        mut params: Map<String, Value>,
    ) -> Result<RequestBuilder, DaemonError> {
        // With a daemon of several accounts it says whose; another one ignores it.
        params.insert("account".to_owned(), self.account.as_str().into());
        self.request(method, &params.into())
    }

    /// Whether the daemon has our account. One that was started for a single account does not say.
    pub(super) async fn has_account(&self) -> Result<bool, DaemonError> {
        match self.call_plain("listAccounts", &json!({}), Duration::ZERO).await {
            Ok(Value::Array(accounts)) => {
                let number =
                    |account: &Value| account.get("number").and_then(Value::as_str).map(str::to_owned);
                Ok(accounts.iter().filter_map(number).any(|number| number == self.account))
            }
            Ok(_) | Err(DaemonError::Refused { code: NO_METHOD, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Whether the daemon is there.
    pub(super) async fn check(&self) -> Result<(), ApiError> {
        let answer = self.api.call(self.api.request(Method::GET, "api/v1/check")?).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.api.garbled(answer.status)) }
    }

    /// Events as they come, after the one with this id. Its answer begins with the first of them, or with a comment after
    /// 15 seconds.
    pub(super) async fn listen(&self, after: Option<&str>, quiet: Duration) -> Result<Endless, ApiError> {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("account", &self.account).finish();
        let mut request = self.api.request(Method::GET, &format!("api/v1/events?{query}"))?;
        request = request.header(http::header::ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        self.api.listen_slow(request, quiet).await
    }

    /// Reads an answer as it comes.
    pub(super) async fn stream(&self, request: RequestBuilder) -> Result<Endless, ApiError> {
        self.api.listen(request).await
    }

    fn request(&self, method: &str, params: &Value) -> Result<RequestBuilder, DaemonError> {
        let request = self.api.request(Method::POST, "api/v1/rpc").map_err(DaemonError::Api)?;
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Ok(with_json(request, &body))
    }

    async fn ask(&self, request: RequestBuilder, longer: Duration) -> Result<Value, DaemonError> {
        let answer = self.api.call_slow(request, longer).await.map_err(DaemonError::Api)?;
        let garbled = || DaemonError::Api(self.api.garbled(answer.status));
        if !answer.status.is_success() {
            return Err(garbled());
        }
        let mut said: Value = serde_json::from_slice(&answer.body).map_err(|_| garbled())?;
        match (said.get_mut("error").map(Value::take), said.get_mut("result").map(Value::take)) {
            (None | Some(Value::Null), Some(result)) => Ok(result),
            (Some(error @ Value::Object(_)), _) => Err(refusal(error)),
            _ => Err(garbled()),
        }
    }
}

fn refusal(mut error: Value) -> DaemonError {
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    DaemonError::Refused {
        code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
        message: dmgate::escape(message),
        response: error.pointer_mut("/data/response").map(Value::take).unwrap_or_default(),
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Refused { code, message, .. } => write!(f, "signal-cli answers {code}: {message}"),
        }
    }
}
