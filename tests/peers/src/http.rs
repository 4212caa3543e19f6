//! JSON over HTTP, as the WebDriver and the Telegram emulator speak it.

use serde_json::Value;
use ureq::Agent;

use crate::process::PATIENCE;

/// Calls a bot's web hook, as a platform does; the status and the body of the answer.
pub fn call_hook(url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let client = JsonClient::new(String::new());
    let mut request = client.agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.send(body).unwrap_or_else(|error| panic!("the hook does not answer: {error}"));
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), text)
}

/// Asks a bot's web hook with `GET`, as platforms do that verify its address; the status and the body of the answer.
pub(crate) fn ask_hook(url: &str) -> (u16, String) {
    let client = JsonClient::new(String::new());
    let mut answer =
        client.agent.get(url).call().unwrap_or_else(|error| panic!("the hook does not answer: {error}"));
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), text)
}

/// A client for one peer.
#[derive(Debug)]
pub(crate) struct JsonClient {
    base: String,
    agent: Agent,
}

impl JsonClient {
    /// `base` is the URL that every path is appended to.
    pub(crate) fn new(base: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            // The peers are on loopback, whatever the environment says about proxies.
            .proxy(None)
            .build();
        Self { base, agent: config.new_agent() }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.answer(path, self.agent.get(format!("{}{path}", self.base)).call())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let request =
            self.agent.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        self.answer(path, request.send(body.to_string()))
    }

    /// Calls with any method, as whoever has this token; a body of null is none.
    pub(crate) fn call(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Value {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = if body.is_null() {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            let request = request.header("content-type", "application/json").body(body.to_string());
            self.agent.run(request.expect("a request"))
        };
        self.answer(path, answer)
    }

    /// Uploads a file, as whoever has this token.
    pub(crate) fn upload(&self, path: &str, token: &str, media_type: &str, content: &[u8]) -> Value {
        let request = self.agent.post(format!("{}{path}", self.base)).header("content-type", media_type);
        self.answer(path, request.header("authorization", format!("Bearer {token}")).send(content))
    }

    /// Ends what `path` names; says whether the peer was there to do it.
    pub(crate) fn delete(&self, path: &str) -> bool {
        self.agent.delete(format!("{}{path}", self.base)).call().is_ok()
    }

    fn answer(&self, path: &str, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
        let base = &self.base;
        let mut response = response.unwrap_or_else(|error| panic!("{base}{path} does not answer: {error}"));
        // Screenshots are larger than ureq's default of 10 MB may allow on a tall page.
        let body = response.body_mut().with_config().limit(64 << 20).read_to_string();
        let body = body.unwrap_or_else(|error| panic!("{base}{path} breaks off: {error}"));
        serde_json::from_str(&body)
            .unwrap_or_else(|error| panic!("{base}{path} answers no JSON: {error}: {body}"))
    }
}
