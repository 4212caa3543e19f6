//! The main job as it comes: no configuration, a visitor in a browser.

use dmgate_test_peers::{Browser, free_port};
use serde_json::json;

use crate::program::Program;

fn write(browser: &Browser, text: &str) {
    browser.type_text("#text", text);
    browser.click("#send");
}

fn shows(browser: &Browser, text: &str) -> bool {
    let script = format!(
        "return [...document.querySelectorAll('.message')].some((part) => part.textContent.includes({}))",
        json!(text)
    );
    browser.eval(&script) == json!(true)
}

#[test]
fn a_visitor_gets_a_code_and_is_answered_when_approved() {
    let mut program = Program::configured("");
    let address = format!("127.0.0.1:{}", free_port());
    program.run_with(&["webchat"], &[("DMGATE_GATEWAY__LISTEN", &address)]);
    let browser = Browser::start();
    browser.set_window(375, 667);
    browser.goto(&format!("http://{address}/chat"));

    write(&browser, "May I come in?");
    browser.wait_for(|browser| browser.has(".code .value") && browser.text(".code .value").len() == 8);
    let shown = browser.text(".code .value");
    let (visitor, code) = program.only_pending("webchat");
    assert_eq!(shown, code);
    assert!(!shows(&browser, "echo"), "nothing reached the agent");

    let approved = program.done(&["pairing", "approve", &code]);
    assert_eq!(approved.trim(), format!("Approved webchat sender {visitor}."));
    write(&browser, "Hello again");
    browser.wait_for(|browser| browser.text("#log").matches("Hello again").count() == 2);

    program.done(&["allow", "remove", "webchat", &visitor]);
    write(&browser, "Am I out?");
    // Silence is shown by what comes after it: the sender is let in anew, and only the later message is answered.
    browser.wait_for(|browser| {
        browser.eval("return document.querySelectorAll('[data-state=sending]').length") == json!(0)
    });
    assert_eq!(program.reason("webchat", &visitor), "hour_used");
    program.done(&["allow", "add", "webchat", &visitor]);
    write(&browser, "And now?");
    browser.wait_for(|browser| browser.text("#log").matches("And now?").count() == 2);
    assert_eq!(browser.text("#log").matches("Am I out?").count(), 1);
    program.end();
}
