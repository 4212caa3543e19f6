//! Calls to a platform over HTTP.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, RequestBuilder, Response, Url};

use crate::{Secret, tls};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// A client for one platform. It follows no redirects: a token goes where the owner said and nowhere else.
#[derive(Clone)]
pub(crate) struct HttpClient(Client);

/// What a platform answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer that is read as it comes, perhaps without an end.
pub(crate) struct Endless(Response);

/// Why there is no answer. The texts hold no URL, since tokens are in some.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// Nothing left.
    NotSent(String),
    /// The request left, at least in part, and no whole answer came.
    Lost(String),
    /// The answer is larger than it may be.
    TooLarge,
}

impl HttpClient {
    /// A client for what is below `base`, through a proxy if the owner named one; what the environment says of proxies
    /// does not count.
    pub(crate) fn new(base: &Url, proxy: Option<&Secret>) -> Result<Self, String> {
        Self::trusting(base, proxy, None)
    }

    /// The same, for a server that proves itself by the certificates in a PEM file.
    pub(crate) fn trusting(
        base: &Url,
        proxy: Option<&Secret>,
        ca_file: Option<&Path>,
    ) -> Result<Self, String> {
        let addresses = [base.as_str()].into_iter().chain(proxy.map(Secret::reveal));
        let tls = tls::client_trusting(addresses, ca_file)?;
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .user_agent(concat!("dmgate/", env!("CARGO_PKG_VERSION")));
        let builder = match proxy {
            None => builder.no_proxy(),
            Some(proxy) => {
                // The error may hold the address, and the address a password.
                let proxy =
                    Proxy::all(proxy.reveal()).map_err(|_| "the proxy's address is no URL".to_owned());
                builder.proxy(proxy?)
            }
        };
        builder.build().map(Self).map_err(told)
    }

    /// A request to be completed: headers, a body ([`with_json`], [`with_form`]).
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.0.request(method, url)
    }
}

/// Makes the call; the answer has at most `limit` bytes and is whole within `timeout`.
pub(crate) async fn whole(
    request: RequestBuilder,
    limit: u64,
    timeout: Duration,
) -> Result<Answer, CallError> {
    let response = request.timeout(timeout).send().await.map_err(failed)?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, body: body_of(response, limit).await? })
}

/// Makes a call whose answer is read as it comes; its head is there within `timeout`.
pub(crate) async fn endless(request: RequestBuilder, timeout: Duration) -> Result<Endless, CallError> {
    match tokio::time::timeout(timeout, request.send()).await {
        Ok(response) => response.map(Endless).map_err(failed),
        Err(_) => Err(CallError::Lost("it does not answer".to_owned())),
    }
}

/// A request with this JSON.
pub(crate) fn with_json(request: RequestBuilder, body: &serde_json::Value) -> RequestBuilder {
    request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string())
}

/// A request with a form of these fields.
pub(crate) fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
}

/// Nobody waits longer than this, whatever an answer says.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Answer {
    /// How long the platform asks to wait, by the header `Retry-After` in seconds, a day at most. A date in it is not read: whose clock
    /// is right is not known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let asked = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
        asked.parse().ok().map(Duration::from_secs).map(|wait| wait.min(LONGEST_WAIT))
    }
}

impl Endless {
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// How long it says that it is.
    pub(crate) fn length(&self) -> Option<u64> {
        self.0.content_length()
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        self.0.chunk().await.map_err(|error| CallError::Lost(told(error)))
    }
}

fn failed(error: reqwest::Error) -> CallError {
    let is_unsent = error.is_connect() || error.is_builder();
    if is_unsent { CallError::NotSent(told(error)) } else { CallError::Lost(told(error)) }
}

/// Reads no more than `limit`, whatever the head of the answer promises.
async fn body_of(mut response: Response, limit: u64) -> Result<Bytes, CallError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(CallError::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| CallError::Lost(told(error)))? {
        body.extend_from_slice(&chunk);
        if u64::try_from(body.len()).is_ok_and(|length| length > limit) {
            return Err(CallError::TooLarge);
        }
    }
    Ok(body.freeze())
}

/// An error with its causes, without its URL.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
