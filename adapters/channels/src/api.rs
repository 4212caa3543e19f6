//! Calls of a platform's API, and what can become of them: nothing left, nobody knows, or a refusal.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use dmgate::{FetchError, SendError, escape};
use http::{Method, StatusCode};
use reqwest::{RequestBuilder, Url};
use serde_json::Value;

use crate::Secret;
use crate::client::{Answer, CallError, Endless, HttpClient, LONGEST_WAIT, endless, whole};
use crate::hosts::Hosts;
use crate::life::End;
use crate::media::{self, File};

/// The longest answer that is read.
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;

/// How many characters of a refusal are shown.
const DESCRIPTION_LIMIT: usize = 300;

/// One platform's API, for one account.
pub(crate) struct Api {
    /// What people call the platform: `Telegram`.
    platform: &'static str,
    http: HttpClient,
    /// Without a slash at its end.
    base: String,
    url: Url,
    /// What no error may show.
    secrets: Vec<Secret>,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

/// Why a call gave nothing. No text in it holds a secret.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) platform: &'static str,
    pub(crate) trouble: Trouble,
}

/// What happened to a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// It did not leave.
    NotSent(String),
    /// It left, and what became of it is not known.
    Lost(String),
    /// The platform refuses it.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The platform's error code, or else the HTTP status; 0 where its codes are words.
        code: i64,
        /// What the platform says.
        description: String,
        /// How long it wants us to wait.
        retry_after: Option<Duration>,
    },
}

impl Api {
    /// The API below `base`, which must be an `http` or `https` URL without a query; the error says what is wrong with
    /// it. `secrets` are those that are in URLs and headers, or that a platform may echo.
    pub(crate) fn new(
        platform: &'static str,
        base: &str,
        proxy: Option<&Secret>,
        secrets: Vec<Secret>,
        patience: Duration,
    ) -> Result<Self, String> {
        let base = base.trim().trim_end_matches('/');
        let url = Url::parse(base).map_err(|error| format!("not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err("a URL like `https://example.org` is expected".to_owned());
        }
        Ok(Self {
            platform,
            http: HttpClient::new(&url, proxy)?,
            base: base.to_owned(),
            url,
            secrets,
            patience,
        })
    }

    /// The address of a path below the base; it has its own query.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// The same, also for a server that proves itself by the certificates in a PEM file.
    pub(crate) fn trusting(self, ca_file: Option<&Path>, proxy: Option<&Secret>) -> Result<Self, String> {
        let url = Url::parse(&self.base).map_err(|error| format!("not a URL: {error}"))?;
        Ok(Self { http: HttpClient::trusting(&url, proxy, ca_file)?, ..self })
    }

    /// A request to be completed; `path` is below the base and has its own query.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        let url = Url::parse(&self.url(path));
        let url = url.map_err(|error| self.error(Trouble::NotSent(format!("not a URL: {error}"))))?;
        Ok(self.http.request(method, url))
    }

    /// A request to a whole address, which the caller has made sure of ([`Hosts`]).
    pub(crate) fn request_to(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// What all paths are below.
    pub(crate) fn base(&self) -> &Url {
        &self.url
    }

    /// Makes a call; the answer may have any status.
    pub(crate) async fn call(&self, request: RequestBuilder) -> Result<Answer, ApiError> {
        self.call_slow(request, Duration::ZERO).await
    }

    /// Makes a call that may take `longer` than others.
    pub(crate) async fn call_slow(
        &self,
        request: RequestBuilder,
        longer: Duration,
    ) -> Result<Answer, ApiError> {
        let answer = whole(request, ANSWER_LIMIT, self.patience + longer).await;
        answer.map_err(|error| self.trouble(error))
    }

    /// Makes a call that brings JSON with a status of success; any other status is a refusal that
    /// [`ApiError::outcome`] judges by its code, with the answer's `Retry-After`.
    pub(crate) async fn call_json(&self, request: RequestBuilder) -> Result<Value, ApiError> {
        let answer = self.call(request).await?;
        if !answer.status.is_success() {
            let said = String::from_utf8_lossy(&answer.body);
            let (status, retry_after) = (answer.status, answer.retry_after());
            return Err(self.refusal(status, status.as_u16().into(), &said, retry_after));
        }
        serde_json::from_slice(&answer.body).map_err(|_| self.garbled(answer.status))
    }

    /// Makes a call whose answer is read as it comes.
    pub(crate) async fn listen(&self, request: RequestBuilder) -> Result<Endless, ApiError> {
        self.listen_slow(request, self.patience).await
    }

    /// The same, where an answer begins within `patience`.
    pub(crate) async fn listen_slow(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Endless, ApiError> {
        match endless(request, patience).await {
            Ok(answer) if answer.status().is_success() => Ok(answer),
            Ok(answer) => Err(self.refusal(answer.status(), answer.status().as_u16().into(), "", None)),
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// Fetches what came with an admitted message, from the platform's hosts only; `token` is shown to no other host
    /// than the first one.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        token: Option<&Secret>,
        hosts: &Hosts,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        self.masked(media::fetch(&self.http, url, token, hosts, limit, file).await)
    }

    /// Fetches the answer to a [request](Self::request): what lies below the base, with its headers or its secret path.
    pub(crate) async fn fetch_answer(
        &self,
        request: RequestBuilder,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        self.masked(media::fetch_answer(request, limit, file).await)
    }

    /// That the platform refused a call, in its own words: the answer had `status`, and in it stood `code`.
    pub(crate) fn refusal(
        &self,
        status: StatusCode,
        code: i64,
        description: &str,
        retry_after: Option<Duration>,
    ) -> ApiError {
        // Whatever answers in the platform's place may be a whole page.
        let description: String = self.mask(description).chars().take(DESCRIPTION_LIMIT).collect();
        let description = escape(&description);
        let retry_after = retry_after.map(|wait| wait.min(LONGEST_WAIT));
        self.error(Trouble::Refused { status: status.as_u16(), code, description, retry_after })
    }

    /// That the answer is not one of the platform's: something before it answers, or something else.
    pub(crate) fn garbled(&self, status: StatusCode) -> ApiError {
        self.error(match status.as_u16() {
            code @ 300..=499 => Trouble::NotSent(format!(
                "something else answers {code} in its place; check the address of the API and proxies"
            )),
            code => Trouble::Lost(format!("an answer with status {code} that it does not give")),
        })
    }

    /// That an answer holds nothing that can be used.
    pub(crate) fn lost(&self, reason: &str) -> ApiError {
        self.error(Trouble::Lost(reason.to_owned()))
    }

    fn trouble(&self, error: CallError) -> ApiError {
        self.error(match error {
            CallError::NotSent(reason) => Trouble::NotSent(self.mask(&reason)),
            CallError::Lost(reason) => Trouble::Lost(self.mask(&reason)),
            CallError::TooLarge => Trouble::Lost("the answer is too large".to_owned()),
        })
    }

    fn error(&self, trouble: Trouble) -> ApiError {
        ApiError { platform: self.platform, trouble }
    }

    fn masked<T>(&self, outcome: Result<T, FetchError>) -> Result<T, FetchError> {
        outcome.map_err(|error| match error {
            FetchError::Failed(reason) => FetchError::Failed(self.mask(&reason)),
            error => error,
        })
    }

    fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| secret.mask(&text))
    }
}

impl ApiError {
    /// What an error means for a connection. `mend` knows the refusals (HTTP status, code, description) that only the owner can
    /// end, and what they have to do.
    pub(crate) fn end<M: fmt::Display>(&self, mend: impl Fn(u16, i64, &str) -> Option<M>) -> End {
        let reason = self.to_string();
        let Trouble::Refused { status, code, description, retry_after } = &self.trouble else {
            return End::Lost(reason);
        };
        match (mend(*status, *code, description), *retry_after) {
            (Some(mend), _) => End::Refused(format!("{reason}; {mend}")),
            (None, Some(asked)) => End::Slow(reason, asked),
            (None, None) => End::Lost(reason),
        }
    }

    /// The same for a call that could not be made for want of a token: nothing has left, whatever happened to the question
    /// for one.
    pub(crate) fn without_token(&self) -> Self {
        Self { platform: self.platform, trouble: Trouble::NotSent(format!("no token: {self}")) }
    }

    /// What an error says about whether a text arrived. `is_hopeless` knows the refusals after which no further try can
    /// help: the user blocked us, the chat is gone.
    // INVARIANT I6: only where the platform surely refused it is the text tried again as if nothing had been sent.
    pub(crate) fn outcome(&self, is_hopeless: impl Fn(i64, &str) -> bool) -> SendError {
        let reason = self.to_string();
        match &self.trouble {
            Trouble::NotSent(_) => SendError::Failed { reason, retry_after: None },
            // Whether a server that breaks down has done its work before is not known.
            Trouble::Lost(_) | Trouble::Refused { status: 500.., .. } => SendError::Unknown { reason },
            Trouble::Refused { code, description, .. } if is_hopeless(*code, description) => {
                SendError::Impossible { reason }
            }
            // 429, and what the owner can mend: a token that was revoked, a wrong address.
            Trouble::Refused { retry_after, .. } => SendError::Failed { reason, retry_after: *retry_after },
        }
    }
}

/// What becomes of a text while its way is still looked for: nothing of it has left, whatever became of the search.
pub(crate) fn unsent(outcome: SendError) -> SendError {
    match outcome {
        SendError::Unknown { reason } => SendError::Failed { reason, retry_after: None },
        known => known,
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let platform = self.platform;
        match &self.trouble {
            Trouble::NotSent(reason) => write!(f, "{platform} can't be reached: {reason}"),
            Trouble::Lost(reason) => write!(f, "no answer from {platform}: {reason}"),
            Trouble::Refused { code: 0, description, .. } => write!(f, "{platform} answers: {description}"),
            Trouble::Refused { code, description, .. } => {
                write!(f, "{platform} answers {code}: {description}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::with_json;
    use crate::fake_server::{FakeServer, unstall};

    fn api(server: &FakeServer) -> Api {
        let secrets = vec![Secret::new("t0ken")];
        Api::new("Chat", &server.base(), None, secrets, Duration::from_secs(9)).unwrap()
    }

    /// What a call says that is dealt with so.
    async fn said(answer: &str, body: &str) -> Result<Value, ApiError> {
        let server = FakeServer::start().await;
        let api = api(&server);
        let request = with_json(api.request(Method::PUT, "rooms/1?a=b").unwrap(), &json!({ "x": 1 }));
        let (said, ()) = tokio::join!(api.call_json(request), async {
            let call = server.call().await;
            assert_eq!((call.line.as_str(), call.json()), ("PUT /rooms/1?a=b", json!({ "x": 1 })));
            assert_eq!(call.header("content-type"), Some("application/json"));
            call.raw(&format!("HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n"), body).await;
        });
        said
    }

    #[tokio::test]
    async fn i6_the_platforms_word_decides_what_became_of_a_text() {
        assert_eq!(said("200 OK", r#"{"id":7}"#).await.unwrap(), json!({ "id": 7 }));
        let hopeless = |code: i64, _: &str| code == 403;
        let slow = said("429 X\r\nretry-after: 7", "slow down").await.unwrap_err();
        let wait = Some(Duration::from_secs(7));
        assert!(
            matches!(slow.outcome(hopeless), SendError::Failed { retry_after, .. } if retry_after == wait)
        );
        let day = Some(Duration::from_secs(24 * 60 * 60));
        for endless in ["4294967296", "18446744073709551615"] {
            let slow = said(&format!("429 X\r\nretry-after: {endless}"), "").await.unwrap_err();
            assert!(
                matches!(slow.outcome(hopeless), SendError::Failed { retry_after, .. } if retry_after == day)
            );
        }
        let blocked = said("403 X", "t0ken is \u{1b}blocked").await.unwrap_err();
        assert_eq!(blocked.to_string(), "Chat answers 403: *** is \\u{1b}blocked");
        assert!(matches!(blocked.outcome(hopeless), SendError::Impossible { .. }));
        let broken = said("503 X\r\nretry-after: 7", "").await.unwrap_err();
        assert!(matches!(broken.outcome(hopeless), SendError::Unknown { .. }), "it may have arrived");
        let garbage = said("200 OK", "<html>").await.unwrap_err();
        assert!(matches!(garbage.outcome(hopeless), SendError::Unknown { .. }));
    }

    #[tokio::test]
    async fn i6_silence_leaves_it_open_and_no_server_does_not() {
        let server = FakeServer::start().await;
        let api = api(&server);
        let call = async { api.call(api.request(Method::GET, "t0ken").unwrap()).await };
        let (said, stalled) = tokio::join!(call, async { server.call().await.stall() });
        unstall(stalled);
        assert!(matches!(said.unwrap_err().trouble, Trouble::Lost(_)));
        drop(server);
        let error = api.call(api.request(Method::GET, "t0ken").unwrap()).await.unwrap_err();
        assert!(matches!(&error.trouble, Trouble::NotSent(_)), "{error}");
        assert!(!error.to_string().contains("t0ken"), "{error}");
    }

    #[tokio::test]
    async fn what_goes_on_and_on_is_read_as_it_comes() {
        let server = FakeServer::start().await;
        let api = api(&server);
        let (body, ()) = tokio::join!(api.listen(api.request(Method::GET, "events").unwrap()), async {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            server.call().await.raw(head, "data: 1\n\n").await;
        });
        let (mut body, mut events) = (body.unwrap(), crate::sse::Events::default());
        events.feed(&body.chunk().await.unwrap().unwrap()).unwrap();
        assert_eq!(events.next().unwrap().unwrap().data, "1");
        assert_eq!(body.chunk().await, Ok(None));
        let (refused, ()) = tokio::join!(api.listen(api.request(Method::GET, "events").unwrap()), async {
            server.call().await.answer(403, "").await;
        });
        assert!(matches!(refused.err().unwrap().trouble, Trouble::Refused { code: 403, .. }));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for base in ["", "example.org", "ftp://x", "https://x/?a", "https://x/#a"] {
            assert!(Api::new("Chat", base, None, Vec::new(), Duration::ZERO).is_err(), "{base}");
        }
    }
}
