//! A setup code and an address, whatever is typed: what is read of them is read again as the same, nothing leads through
//! the internet unencrypted, and no secret is shown.

use std::net::IpAddr;

use dmgate::device::{GatewayUrl, SetupCode};

/// `data` is the text that is typed: a code, an address, or the JSON of a code.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(url) = text.parse::<GatewayUrl>() {
        address(&url);
    }
    code(&text);
    // No mutation finds its way through base64: what is in a code is also tried bare.
    code(&base64url(text.trim().as_bytes()));
}

fn code(text: &str) {
    let Ok(code) = SetupCode::decode(text) else { return };
    let url: GatewayUrl = code.url().parse().expect("what a code holds is an address");
    assert_eq!(url.as_str(), code.url(), "in the one form");
    address(&url);
    let again = SetupCode::decode(&code.encode()).expect("what was read can be read again");
    assert_eq!(again, code);
    let token = code.bootstrap_token().reveal();
    assert!(token.len() < 8 || code.url().contains(token) || !format!("{code:?}").contains(token), "shown");
}

/// Whom it leads to, in a second, plain reading.
fn address(url: &GatewayUrl) {
    let text = url.as_str();
    let again: GatewayUrl = text.parse().expect("an address is one");
    assert_eq!(again, *url);
    let (scheme, rest) = text.split_once("://").expect("it has a scheme");
    assert!(scheme == "ws" || scheme == "wss", "{text}");
    assert!(!rest.contains(['/', '?', '#', '@', ' ']), "{text}");
    let host = match rest.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap(),
        None => rest.split(':').next().unwrap(),
    };
    assert!(!host.is_empty(), "{text}");
    let is_near = match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()
        }
        Ok(IpAddr::V6(v6)) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || matches!(v6.octets(), [0xfc..=0xfd, ..] | [0xfe, 0x80..=0xbf, ..])
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local"),
    };
    assert!(scheme == "wss" || is_near, "unencrypted: {text}");
    assert!(url.clone().beyond_loopback().is_err() || host != "localhost", "{text}");
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        let letters = (0..=three.len()).map(|place| (bits >> (18 - 6 * place)) & 63);
        out.extend(letters.map(|letter| char::from(LETTERS[usize::try_from(letter).unwrap()])));
    }
    out
}

#[test]
fn base64url_is_the_one_that_codes_are_in() {
    for (plain, coded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("\u{3ff}", "z78")] {
        assert_eq!(base64url(plain.as_bytes()), coded);
    }
}
