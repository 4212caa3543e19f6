//! The web chat's page in a real browser. Pictures go to `$DMGATE_PICTURES`, or to a folder that is thrown away.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on must fail"
)]

mod support;

use std::path::PathBuf;

use dmgate_test_peers::Browser;
use serde_json::{Value, json};
use support::Server;
use tokio::runtime::Runtime;

/// Sizes to look at: a telephone, and a desk.
const SIZES: [(&str, u32, u32); 2] = [("phone", 375, 667), ("desk", 1_280, 800)];

struct Pictures {
    folder: PathBuf,
    _thrown_away: Option<tempfile::TempDir>,
}

impl Pictures {
    fn new() -> Self {
        match std::env::var_os("DMGATE_PICTURES") {
            Some(folder) => Self { folder: folder.into(), _thrown_away: None },
            None => {
                let folder = tempfile::tempdir().unwrap();
                Self { folder: folder.path().into(), _thrown_away: Some(folder) }
            }
        }
    }

    /// One picture of each size in light and dark, and nothing wider than the window in any.
    fn take(&self, browser: &Browser, name: &str) {
        for scheme in ["light", "dark"] {
            prefer(browser, scheme);
            for (size, width, height) in SIZES {
                browser.set_window(width, height);
                let fits =
                    "return [document.documentElement, document.body, document.getElementById('scroll')]
                    .every((box) => box.scrollWidth <= box.clientWidth)
                    && [...document.querySelectorAll('body *')].every((part) => {
                        const box = part.getBoundingClientRect();
                        return box.width < 2 || box.right <= innerWidth + 1 && box.left >= -1;
                    })";
                assert_eq!(browser.eval(fits), json!(true), "{name} {size}: wider than the window");
                browser.screenshot(&self.folder.join(format!("{name}-{size}-{scheme}.png")));
            }
        }
        let (_, width, height) = SIZES[0];
        browser.set_window(width, height);
    }
}

/// Chooses light or dark, as the system's setting would: the rules for dark apply always, or never.
fn prefer(browser: &Browser, scheme: &str) {
    browser.eval(&format!(
        "for (const rule of document.styleSheets[0].cssRules) {{
            if (rule.cssText.includes('prefers-color-scheme') || rule.isForDark) {{
                rule.isForDark = true;
                rule.media.mediaText = {scheme:?} === 'dark' ? 'all' : 'not all';
            }}
        }}
        document.documentElement.style.colorScheme = {scheme:?};"
    ));
}

fn write(browser: &Browser, text: &str) {
    browser.type_text("#text", text);
    browser.click("#send");
}

fn shows(browser: &Browser, css: &str, text: &str) -> bool {
    let script = format!(
        "return [...document.querySelectorAll({})].some((part) => part.textContent.includes({}))",
        json!(css),
        json!(text)
    );
    browser.eval(&script) == json!(true)
}

/// The code, once it is shown large. (While it fades in, its visible text is empty.)
fn code(browser: &Browser) -> String {
    browser.wait_for(|browser| browser.text(".code .value").len() == 8);
    browser.text(".code .value")
}

fn transcript(browser: &Browser) -> Value {
    browser.eval("return [...document.querySelectorAll('.message')].map((message) => message.textContent)")
}

#[test]
fn a_visitor_is_let_in_and_answered() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let browser = Browser::start();
    let pictures = Pictures::new();
    browser.set_window(375, 667);
    browser.goto(&format!("{}/", server.origin()));
    assert_eq!(browser.eval("return location.pathname"), json!("/chat"));
    pictures.take(&browser, "welcome");

    // A stranger writes, and sees the code large.
    write(&browser, "Hello, may I come in?");
    let code = code(&browser);
    assert!(shows(&browser, ".standing", "Waiting for the owner"));
    assert!(shows(&browser, ".command", &format!("dmgate pairing approve webchat {code}")));
    browser.wait_for(|browser| shows(browser, ".mine .note", "Sent"));
    pictures.take(&browser, "code");
    browser.click(".code .copy");
    browser.wait_for(|browser| shows(browser, ".code .copy", "Copied"));
    browser.wait_for(|browser| shows(browser, ".code .copy", "Copy code"));

    // What is written while one waits is sent, and that is all one sees.
    write(&browser, "Anybody there?");
    browser.wait_for(|browser| shows(browser, ".mine:nth-last-child(1) .note", "Sent"));

    // The owner approves, and the next message is answered.
    runtime.block_on(server.approve(&code));
    browser.wait_for(|browser| browser.has(".notice"));
    assert!(shows(&browser, ".standing", "Approved"));
    write(
        &browser,
        "Thank you. See https://example.org/a?b=c, and <b>tell</b> me: <img src=x onerror=alert(1)>",
    );
    browser.wait_for(|browser| shows(browser, ".reply", "You said: Thank you."));
    assert!(shows(&browser, ".reply", "<b>tell</b> me: <img src=x onerror=alert(1)>"), "text stays text");
    assert!(!browser.has("#log b") && !browser.has("#log .bubble img"));
    assert_eq!(
        browser.eval("return document.querySelector('.reply a').href"),
        json!("https://example.org/a?b=c")
    );
    pictures.take(&browser, "answered");

    // A reload keeps what was read, and the visitor is still the same one.
    let before = transcript(&browser);
    browser.goto(&format!("{}/chat", server.origin()));
    browser.wait_for(|browser| shows(browser, "#connection", "Connected"));
    assert_eq!(transcript(&browser), before);
    write(&browser, "Still me");
    browser.wait_for(|browser| shows(browser, ".reply", "You said: Still me"));
    assert_eq!(browser.eval("return document.cookie"), json!(""), "scripts don't see the cookie");

    // The gateway starts again: the page comes back by itself, and the visitor is who they were.
    let server = runtime.block_on(server.restart());
    browser.wait_for(|browser| shows(browser, "#connection", "Connected"));
    write(&browser, "Are you back?");
    browser.wait_for(|browser| shows(browser, ".reply", "You said: Are you back?"));

    // It ends for good, and the page says so.
    server.shutdown.cancel();
    runtime.block_on(server.ended).unwrap();
    browser.wait_for(|browser| shows(browser, "#connection", "Connection lost"));
    write(&browser, "Is this thing on?");
    browser.wait_for(|browser| shows(browser, ".note", "Try again"));
    pictures.take(&browser, "lost");
}

#[test]
fn a_code_that_is_too_old_is_said_to_be() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let browser = Browser::start();
    browser.goto(&format!("{}/chat", server.origin()));
    write(&browser, "hello");
    code(&browser);
    browser.wait_for(|browser| shows(browser, ".mine .note", "Sent"));
    browser.eval(
        "const kept = JSON.parse(sessionStorage.getItem('dmgate-chat'));
        for (const entry of kept) entry.at -= 61 * 60 * 1000;
        sessionStorage.setItem('dmgate-chat', JSON.stringify(kept));",
    );
    browser.goto(&format!("{}/chat", server.origin()));
    browser.wait_for(|browser| shows(browser, ".standing", "This code has expired."));

    // What others left in the storage is not trusted either.
    for rubbish in ["{", "null", "[1,null,{\"text\":5}]"] {
        browser.eval(&format!("sessionStorage.setItem('dmgate-chat', {})", json!(rubbish)));
        browser.goto(&format!("{}/chat", server.origin()));
        browser.wait_for(|browser| shows(browser, "#connection", "Connected"));
        assert!(browser.has("#welcome:not([hidden])"));
    }
}

#[test]
fn keys_and_long_texts_work_as_people_expect() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let browser = Browser::start();
    let pictures = Pictures::new();
    browser.set_window(375, 667);
    browser.goto(&format!("{}/chat", server.origin()));
    browser.type_text("#text", "first\u{e008}\u{e007}\u{e000}second");
    assert_eq!(browser.eval("return document.getElementById('text').value"), json!("first\nsecond"));
    pictures.take(&browser, "typing");
    browser.type_text("#text", "\u{e007}");
    browser.wait_for(|browser| shows(browser, ".mine .bubble", "first\nsecond"));
    assert_eq!(browser.eval("return document.getElementById('text').value"), json!(""));
    let code = code(&browser);
    runtime.block_on(server.approve(&code));
    browser.wait_for(|browser| browser.has(".notice"));
    for text in [&"a".repeat(300), &"many words and ".repeat(60), "short", "ünïcode 🦀 مرحبا 你好"]
    {
        browser.eval(&format!("document.getElementById('text').value = {}", json!(text)));
        browser.click("#send");
        let answer = format!("You said: {}", text.trim());
        browser.wait_for(|browser| shows(browser, ".reply", &answer));
    }
    pictures.take(&browser, "long");
    // The newest is in view.
    let last = "const last = document.querySelector('.message:last-child').getBoundingClientRect();
        return last.bottom <= document.getElementById('compose').getBoundingClientRect().top + 1";
    assert_eq!(browser.eval(last), json!(true));
}
