//! An agent that is a server: one POST a turn.

use std::time::Duration;

use async_trait::async_trait;
use dmgate::{Agent, AgentError, Turn};
use dmgate_channels::tls;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Proxy, Response, StatusCode, redirect};

use super::{Bounds, wire};
use crate::config::ConfigError;
use crate::config::agent::HttpSettings;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An agent that is a server.
pub(super) struct Http {
    client: Client,
    url: String,
    retries: u32,
    bounds: Bounds,
}

/// Why a try gave no answer.
enum Trouble {
    /// Another try may help, after this pause if the server said one.
    Passing(AgentError, Option<Duration>),
    /// Another try won't help, or may do harm.
    Lasting(AgentError),
}

impl Http {
    /// A client of this server. Nothing is sent yet.
    pub(super) fn new(settings: &HttpSettings, bounds: Bounds) -> Result<Self, ConfigError> {
        let addresses = [&settings.url].into_iter().chain(&settings.proxy).map(String::as_str);
        let trusted = tls::client_of(addresses).map_err(|reason| refused("agent.url", reason))?;
        // No redirects: messages and tokens go where the owner said. No proxy that the owner did not name.
        let mut builder = Client::builder()
            .tls_backend_preconfigured(trusted)
            .default_headers(headers(settings)?)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .user_agent(concat!("dmgate/", env!("CARGO_PKG_VERSION")))
            .no_proxy();
        if let Some(proxy) = &settings.proxy {
            let proxy = Proxy::all(proxy).map_err(|error| refused("agent.proxy", error))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| refused("agent.url", error))?;
        Ok(Self { client, url: settings.url.clone(), retries: settings.retries, bounds })
    }

    async fn respond_within(&self, question: &str, id: &str) -> Result<Vec<String>, AgentError> {
        let mut pause = Duration::from_millis(500);
        let mut left = self.retries;
        loop {
            match self.attempt(question, id).await {
                Ok(replies) => return Ok(replies),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(error, _)) if left == 0 => return Err(error),
                Err(Trouble::Passing(error, asked)) => {
                    let wait = asked.unwrap_or(pause).min(LONGEST_PAUSE);
                    tracing::debug!("{error}; another try in {} ms", wait.as_millis());
                    tokio::time::sleep(wait).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    left -= 1;
                }
            }
        }
    }

    async fn attempt(&self, question: &str, id: &str) -> Result<Vec<String>, Trouble> {
        let request = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", id)
            .body(question.to_owned());
        let response = request.send().await.map_err(|error| {
            let error_is_passing = error.is_connect();
            let error =
                AgentError(format!("the agent can't be reached: {}; check that it runs", told(error)));
            if error_is_passing { Trouble::Passing(error, None) } else { Trouble::Lasting(error) }
        })?;
        let status = response.status();
        if status.is_success() {
            let body = body_of(response, self.bounds.max_reply).await.map_err(Trouble::Lasting)?;
            return wire::answer(&body, id).map_err(Trouble::Lasting);
        }
        let error = AgentError(match status.is_redirection() {
            true => format!("the agent answered {status}, and redirects are not followed; correct agent.url"),
            false => format!("the agent answered {status}; see its own log"),
        });
        let passing = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(match passing.contains(&status) {
            true => Trouble::Passing(error, asked.map(Duration::from_secs)),
            false => Trouble::Lasting(error),
        })
    }
}

#[async_trait]
impl Agent for Http {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        let (question, id) = wire::question(&turn)?;
        let timeout = self.bounds.timeout;
        tokio::time::timeout(timeout, self.respond_within(&question, &id)).await.unwrap_or_else(|_| {
            let seconds = timeout.as_secs_f32();
            Err(AgentError(format!(
                "the agent did not answer within {seconds} s; raise agent.timeout if it needs longer"
            )))
        })
    }
}

fn headers(settings: &HttpSettings) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    let value = |text: &str, key: &str| {
        let value = HeaderValue::from_str(text);
        let mut value =
            value.map_err(|_| ConfigError::general(format!("{key} can't be sent in a header")))?;
        value.set_sensitive(true);
        Ok::<_, ConfigError>(value)
    };
    for (name, secret) in &settings.headers {
        let known =
            HeaderName::from_bytes(name.as_bytes()).map_err(|error| refused("agent.headers", error))?;
        headers.insert(known, value(&secret.reveal()?, &secret.key)?);
    }
    if let Some(token) = &settings.token {
        headers.insert(AUTHORIZATION, value(&format!("Bearer {}", token.reveal()?), &token.key)?);
    }
    Ok(headers)
}

async fn body_of(mut response: Response, limit: usize) -> Result<Vec<u8>, AgentError> {
    let mut body = Vec::new();
    let broken = |error| AgentError(format!("the agent's answer broke off: {}", told(error)));
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > limit {
            return Err(AgentError(format!(
                "the agent's answer is longer than {limit} bytes; raise agent.max_reply"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes, without its address: there may be a key in it.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

fn refused(key: &str, error: impl std::fmt::Display) -> ConfigError {
    ConfigError::general(format!("`{key}` is refused: {error}"))
}
