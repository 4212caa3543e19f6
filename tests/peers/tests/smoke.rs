//! Starts each peer and does one round trip with it.

#![allow(clippy::unwrap_used, reason = "the bot's end of a webhook is part of the test")]
#![allow(clippy::disallowed_methods, reason = "a test edits a file as another program would")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

use dmgate_test_peers::{Browser, Inspircd, IrcClient, Ngircd, OpenClaw, TelegramEmulator};
use serde_json::{Value, json};

#[test]
fn ngircd_carries_a_private_message() {
    let server = Ngircd::start();
    let mut alice = IrcClient::join(server.addr, "alice");
    let mut bob = IrcClient::join(server.addr, "bob");
    alice.privmsg("bob", "hello");
    let line = bob.expect(|line| line.contains(" PRIVMSG "));
    assert!(line.starts_with(":alice!") && line.ends_with("PRIVMSG bob :hello"), "{line}");
}

#[test]
fn inspircd_names_the_account_of_who_logged_in_and_of_nobody_else() {
    let network = Inspircd::start();
    network.register("alice", "secret-of-alice");

    let mut bob = IrcClient::connect(network.addr);
    assert!(bob.capability("account-tag"));
    bob.register("bob", "bob");

    let mut wrong = IrcClient::connect(network.addr);
    assert!(!wrong.authenticate("alice", "another-secret"));

    let mut alice = IrcClient::connect(network.addr);
    assert!(alice.authenticate("alice", "secret-of-alice"));
    alice.register("alice", "alice");
    alice.privmsg("bob", "it is me");
    let line = bob.expect(|line| line.contains(" PRIVMSG "));
    assert!(line.starts_with("@account=alice ") && line.ends_with(" :it is me"), "{line}");
    alice.send("QUIT");
    alice.expect(|line| line.starts_with("ERROR "));

    let mut impostor = IrcClient::join(network.addr, "alice");
    impostor.privmsg("bob", "me too");
    let line = bob.expect(|line| line.contains(" PRIVMSG "));
    assert!(line.starts_with(":alice!alice@127.0.0.1 ") && line.ends_with(" :me too"), "{line}");
}

#[test]
fn inspircd_proves_itself_over_tls() {
    let network = Inspircd::start();
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"])
        .args(["-connect", &network.tls_addr.to_string(), "-CAfile"])
        .arg(&network.ca_pem)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.as_mut().unwrap().write_all(b"NICK alice\r\nUSER alice 0 * :alice\r\n").unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(" 001 alice ")), "no welcome over TLS");
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn telegram_keeps_an_update_until_the_bot_acknowledges_it() {
    let telegram = TelegramEmulator::start("111:token");
    telegram.send_message(42, "alice", "hello");
    for _ in 0..2 {
        let updates = telegram.bot("getUpdates", &json!({ "offset": 0, "timeout": 20 }));
        assert_eq!(updates["result"][0]["message"]["text"], "hello", "{updates}");
        assert_eq!(updates["result"][0]["message"]["from"]["id"], 42);
    }
    assert_eq!(telegram.bot("getUpdates", &json!({ "offset": 2 }))["result"], json!([]));

    assert_eq!(telegram.replies(42), [""; 0]);
    telegram.bot("sendMessage", &json!({ "chat_id": 42, "text": "hello yourself" }));
    telegram.bot("sendMessage", &json!({ "chat_id": 43, "text": "to another" }));
    assert_eq!(telegram.wait_for_replies(42, 1), ["hello yourself"]);
}

#[test]
fn telegram_wakes_a_bot_that_waits_for_updates() {
    let telegram = TelegramEmulator::start("111:token");
    thread::scope(|scope| {
        let bot = scope.spawn(|| telegram.bot("getUpdates", &json!({ "timeout": 20 })));
        telegram.send_message(42, "alice", "hello");
        assert_eq!(bot.join().unwrap()["result"][0]["message"]["text"], "hello");
    });
}

#[test]
fn telegram_posts_to_the_webhook_with_its_secret_until_it_is_accepted() {
    let telegram = TelegramEmulator::start("111:token");
    let bot = Webhook::listen();
    telegram.bot("setWebhook", &json!({ "url": bot.url(), "secret_token": "s3cret" }));
    telegram.send_message(42, "alice", "first");
    let refused = bot.answer("401 Unauthorized");
    telegram.send_message(42, "alice", "second");
    let (first, second) = (bot.answer("200 OK"), bot.answer("200 OK"));
    assert_eq!(refused.update, first.update);
    assert_eq!(first.update["message"]["text"], "first");
    assert_eq!(second.update["message"]["text"], "second");
    assert!(first.head.contains("x-telegram-bot-api-secret-token: s3cret"), "{}", first.head);
}

#[test]
fn chromium_fills_in_a_form() {
    let page = "<title>form</title><input id=name><button onclick=\"setTimeout(() => {
        const p = document.createElement('p'); p.textContent = 'hello ' + document.all.name.value; document.body.append(p)
    })\">greet</button>";
    let browser = Browser::start();
    browser.set_window(360, 700);
    browser.goto(&format!("data:text/html,{page}"));
    assert!(!browser.has("p"));
    browser.type_text("#name", "alice");
    browser.click("button");
    browser.wait_for(|browser| browser.has("p"));
    assert_eq!(browser.text("p"), "hello alice");
    assert_eq!(
        browser.eval("return [document.title, window.innerWidth, window.innerHeight]"),
        json!(["form", 360, 700])
    );

    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("page.png");
    browser.screenshot(&picture);
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn openclaw_approves_on_its_command_line_what_its_store_holds() {
    let state = tempfile::tempdir().unwrap();
    let openclaw = OpenClaw::at(state.path());
    let mut store = openclaw.store();
    let request = store.upsert("telegram", "default", "42");
    assert!(request.created);

    let pending = openclaw.pairing_list("telegram");
    assert_eq!((pending.len(), &pending[0]["code"]), (1, &json!(request.code)));
    openclaw.pairing_approve("telegram", &request.code).unwrap();
    let again = openclaw.pairing_approve("telegram", &request.code).unwrap_err();
    assert!(again.contains("No pending pairing request"), "{again}");

    assert_eq!(store.allow_from("telegram", "default"), ["42"]);
    store.add("telegram", "default", &["43", "44"]);
    store.remove("telegram", "default", &["42"]);
    assert_eq!(store.allow_from("telegram", "default"), ["43", "44"]);
}

#[test]
fn openclaw_keeps_what_it_does_not_know_in_a_request_it_leaves_alone() {
    let state = tempfile::tempdir().unwrap();
    let openclaw = OpenClaw::at(state.path());
    let mut store = openclaw.store();
    store.upsert("telegram", "default", "42");

    let file = openclaw.credentials().join("telegram-pairing.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    document["note"] = json!("on top");
    document["requests"][0]["note"] = json!("inside");
    fs::write(&file, document.to_string()).unwrap();

    store.upsert("telegram", "default", "43");
    let document: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(document["requests"][0]["note"], "inside");
    assert_eq!(document["note"], Value::Null);

    store.upsert("telegram", "default", "42");
    let document: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(document["requests"][0]["note"], Value::Null);
}

#[test]
fn openclaw_holds_its_lock_until_it_is_released_or_killed() {
    let state = tempfile::tempdir().unwrap();
    let openclaw = OpenClaw::at(state.path());
    let file = state.path().join("telegram-pairing.json");

    let held = openclaw.hold_lock(&file);
    let lock: Value = serde_json::from_str(&fs::read_to_string(&held.path).unwrap()).unwrap();
    assert_eq!(lock["pid"], held.id());
    assert!(held.release().success());
    assert!(!state.path().join("telegram-pairing.json.lock").exists());

    let left_behind = openclaw.hold_lock(&file).kill();
    assert!(left_behind.exists());
    // Its holder is dead, so the next one takes it over at once.
    assert!(openclaw.hold_lock(&file).release().success());
}

/// A bot's end of a webhook: answers one request at a time.
struct Webhook(TcpListener);

struct Delivery {
    head: String,
    update: Value,
}

impl Webhook {
    fn listen() -> Self {
        Self(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/telegram", self.0.local_addr().unwrap())
    }

    fn answer(&self, status: &str) -> Delivery {
        let mut stream = BufReader::new(self.0.accept().unwrap().0);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "a request without an end: {head}");
        }
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        Delivery { head, update: serde_json::from_slice(&body).unwrap() }
    }
}
