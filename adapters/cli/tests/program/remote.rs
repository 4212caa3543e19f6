//! `--url`: what is refused before anything is sent, and gateways that are none. What real ones answer is in the story.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::place::Place;

const SECRET: &str = "s3cret-of-the-gateway";

fn fails(code: i32, words: &[&str]) -> String {
    let place = Place::with_config("");
    let said = place.fails_with(code, words);
    assert!(!said.contains(SECRET), "{said}");
    said
}

#[test]
fn nothing_is_sent_in_the_clear_beyond_private_networks() {
    for url in ["ws://gate.example.org", "http://8.8.8.8:18790", "ws://[2001:db8::1]"] {
        let said = fails(2, &["devices", "list", "--url", url, "--token", SECRET]);
        assert!(said.contains("wss://"), "{said}");
    }
    for url in ["", "ftp://x", "ws://a@b", "x:99999", "\u{202e}"] {
        let said = fails(2, &["devices", "list", "--url", url, "--token", SECRET]);
        assert!(said.contains("no address of a gateway") && !said.contains('\u{202e}'), "{said}");
    }
}

#[test]
fn without_anything_to_show_the_gateways_own_token_is_asked_for() {
    let said = fails(2, &["nodes", "list", "--url", "wss://gate.example.org"]);
    assert!(said.contains("--token or --password"), "{said}");
    for option in ["--token", "--password"] {
        assert!(
            fails(2, &["nodes", "list", "--url", "wss://gate.example.org", option, " "]).contains("empty")
        );
    }
}

#[test]
fn who_is_not_there_or_no_gateway_is_told_in_one_line() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", server.local_addr().unwrap());
    let list =
        |more: &[&str]| fails(1, &[&["devices", "list", "--url", &url, "--token", SECRET], more].concat());
    // It takes the connection, and says nothing.
    assert!(list(&["--timeout", "50"]).contains("within 50 ms"));
    let answers = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The first was the one before.
            for stream in server.incoming().skip(1).take(1) {
                let mut stream = stream.unwrap();
                let mut head = [0; 16];
                stream.read_exact(&mut head).unwrap();
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        list(&[])
    });
    assert!(answers.contains("404"), "{answers}");
    drop(server);
    assert!(list(&[]).contains("reached"), "{}", list(&[]));
}

#[test]
fn i7_a_key_that_can_not_be_read_is_not_replaced() {
    let place = Place::with_config("");
    let words = ["devices", "list", "--url", "ws://127.0.0.1:9", "--token", SECRET];
    place.fails_with(1, &words);
    let path = place.state().join("identity/device.json");
    let key = std::fs::read_to_string(&path).unwrap();
    place.fails_with(1, &words);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), key, "one key for ever");
    std::fs::write(&path, "{").unwrap();
    assert!(place.fails_with(3, &words).contains("device.json"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{");
}
