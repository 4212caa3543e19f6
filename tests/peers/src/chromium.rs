//! Chromium without a window, driven over WebDriver.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::JsonClient;
use crate::{Process, program, scratch_dir};

/// How long a search for an element waits for it to appear, in milliseconds.
const FIND_WITHIN: u32 = 10_000;

/// How many frames [`Browser::wait_for`] lets pass: half a minute at 60 a second.
const FRAMES: u32 = 1_800;

/// The key under which WebDriver passes an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one empty profile and one page.
#[derive(Debug)]
pub struct Browser {
    http: JsonClient,
    session: String,
    chromium: Pid,
    _driver: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts the browser, with a blank page.
    pub fn start() -> Self {
        let (chromium, driver) = (program("chromium"), program("chromedriver"));
        let profile = scratch_dir();
        let mut driver = Process::spawn("chromedriver", Command::new(driver).arg("--port=0"));
        let line = driver.await_line(|line| line.contains("started successfully on port"));
        let port = line.trim_end_matches('.').rsplit(' ').next().expect("a line that ends in a port");
        let http = JsonClient::new(format!("http://127.0.0.1:{port}"));

        let options = json!({ "binary": chromium, "args": [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            format!("--user-data-dir={}", profile.path().display()),
        ]});
        let capabilities = json!({ "goog:chromeOptions": options, "timeouts": { "implicit": FIND_WITHIN } });
        let answer = http.post("/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        let session = answer["value"]["sessionId"].as_str();
        let session = session.unwrap_or_else(|| panic!("chromium does not start: {answer}"));
        let chromium = answer["value"]["capabilities"]["goog:processID"].as_i64();
        let chromium =
            chromium.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("chromium's process id");
        Self { session: format!("/session/{session}"), http, chromium, _driver: driver, _profile: profile }
    }

    /// Opens a page and waits until it has loaded.
    pub fn goto(&self, url: &str) {
        self.order("/url", &json!({ "url": url }));
    }

    /// The first element that matches, once there is one.
    pub fn find(&self, css: &str) -> Element<'_> {
        let found = self.order("/element", &json!({ "using": "css selector", "value": css }));
        Element { browser: self, path: format!("/element/{}", text_of(&found[ELEMENT])) }
    }

    /// Whether an element matches now.
    pub fn has(&self, css: &str) -> bool {
        self.eval(&format!("return document.querySelector({}) !== null", json!(css))) == json!(true)
    }

    /// Types into the first element that matches.
    pub fn type_text(&self, css: &str, text: &str) {
        self.find(css).type_text(text);
    }

    /// Clicks on the first element that matches.
    pub fn click(&self, css: &str) {
        self.find(css).click();
    }

    /// The visible text of the first element that matches.
    pub fn text(&self, css: &str) -> String {
        self.find(css).text()
    }

    /// Runs the body of a function in the page and gives what it returns; a promise is awaited.
    pub fn eval(&self, js: &str) -> Value {
        self.order("/execute/sync", &json!({ "script": js, "args": [] }))
    }

    /// Looks at the page once per frame until `ready` holds; it must within half a minute.
    pub fn wait_for(&self, ready: impl Fn(&Self) -> bool) {
        let frame = json!({ "script": "return new Promise(requestAnimationFrame)", "args": [] });
        for _ in 0..FRAMES {
            if ready(self) {
                return;
            }
            // Fails when the page is being replaced, which is one more thing to wait for.
            if self.http.post(&format!("{}/execute/sync", self.session), &frame)["value"]["error"].is_string()
            {
                thread::yield_now();
            }
        }
        panic!("the page never became ready; it shows:\n{}", self.text("body"));
    }

    /// Writes a picture of the visible page to a PNG file.
    pub fn screenshot(&self, path: &Path) {
        let picture = self.result("/screenshot", &self.http.get(&format!("{}/screenshot", self.session)));
        let picture = STANDARD.decode(text_of(&picture)).expect("WebDriver sends base64");
        fs::write(path, picture).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Gives the page a size, in CSS pixels. (A real window of Chromium's is at least 500 wide: no phone is.)
    pub fn set_window(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.order(
            "/goog/cdp/execute",
            &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size }),
        );
    }

    fn order(&self, path: &str, body: &Value) -> Value {
        self.result(path, &self.http.post(&format!("{}{path}", self.session), body))
    }

    /// The value of an answer, unless it is an error.
    fn result(&self, path: &str, answer: &Value) -> Value {
        let value = &answer["value"];
        assert!(!value["error"].is_string(), "WebDriver {path}: {}: {}", value["error"], value["message"]);
        value.clone()
    }
}

impl Drop for Browser {
    /// Ends the session, and with it the browser, before chromedriver is killed, which leaves browsers behind.
    fn drop(&mut self) {
        if !self.http.delete(&self.session) {
            let _ = kill_process(self.chromium, Signal::KILL);
        }
    }
}

/// An element of the page that is open.
#[derive(Debug)]
pub struct Element<'a> {
    browser: &'a Browser,
    path: String,
}

impl Element<'_> {
    /// Types into the element.
    pub fn type_text(&self, text: &str) {
        self.browser.order(&format!("{}/value", self.path), &json!({ "text": text }));
    }

    /// Clicks on the element.
    pub fn click(&self) {
        self.browser.order(&format!("{}/click", self.path), &json!({}));
    }

    /// The visible text of the element.
    pub fn text(&self) -> String {
        let path = format!("{}{}/text", self.browser.session, self.path);
        text_of(&self.browser.result(&self.path, &self.browser.http.get(&path))).to_owned()
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("WebDriver sends {value} for a text"))
}
