//! The setup code that a phone reads: where the gateway is, and what lets it ask to be paired.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::uri::{Authority, Uri};
use serde::{Deserialize, Serialize};

use super::token::Token;
use crate::clock::Timestamp;

/// Where a device reaches the gateway: `wss://gate.example.org`, or `ws://` where nobody else listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayUrl(String);

/// A setup code: base64url, without padding, of a small JSON object. `Debug` leaves the token out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupCode {
    /// Where the gateway is.
    url: String,
    /// What the device shows once.
    bootstrap_token: Token,
    /// Until when it works, in milliseconds since 1970; some programs leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
}

/// Why there is no setup code, or why a text is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetupError {
    /// The text is no address.
    #[error("`{0}` is no address of a gateway; write `wss://host` or `host:port`")]
    NoUrl(String),
    /// Anybody on the way could listen.
    #[error(
        "`{0}` would be reached without encryption by way of the internet; use `wss://`, with a proxy that has a \
         certificate in front of the gateway"
    )]
    NotPrivate(String),
    /// Only this machine reaches it.
    #[error(
        "the gateway listens on loopback only, where no other device reaches it: set `listen` in `[gateway]` to an \
         address of this machine, or `public_url` to the address of a proxy in front of it; or name one with --url"
    )]
    LoopbackOnly,
    /// The text is no setup code.
    #[error("not a setup code; make a new one with `dmgate qr`, or `/pair`")]
    NoCode,
}

/// The longest address and the longest code that are read, in bytes.
const LONGEST: usize = 2_048;

impl GatewayUrl {
    /// Its text: scheme, host, and port where it is not the scheme's.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses an address that no other device reaches.
    ///
    /// # Errors
    /// [`SetupError::LoopbackOnly`].
    pub fn beyond_loopback(self) -> Result<Self, SetupError> {
        let host = self.0.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        match host {
            Some(host) if !is_loopback(&host) => Ok(self),
            _ => Err(SetupError::LoopbackOnly),
        }
    }
}

/// Reads `wss://`, `ws://`, `https://`, `http://`, or a bare host with or without a port, which is encrypted unless it is
/// private. A path and a query are left out.
impl FromStr for GatewayUrl {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Self, SetupError> {
        let no_url = || SetupError::NoUrl(crate::message::escape(text));
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(no_url());
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let is_encrypted = match scheme.as_deref() {
            Some("wss" | "https") => Some(true),
            Some("ws" | "http") => Some(false),
            None => None,
            Some(_) => return Err(no_url()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority: Authority = rest.get(..end).unwrap_or_default().parse().map_err(|_| no_url())?;
        let host = authority.host().to_ascii_lowercase();
        let has_port = authority.as_str().len() > authority.host().len();
        let port = authority.port_u16();
        let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let is_host = !host.is_empty() && (is_name || (host.starts_with('[') && address(&host).is_some()));
        let is_bad = !is_host || authority.as_str().contains('@') || (has_port && port.is_none());
        if is_bad || port == Some(0) {
            return Err(no_url());
        }
        let is_private = is_private(&host);
        let is_encrypted = is_encrypted.unwrap_or(!is_private);
        if !is_encrypted && !is_private {
            return Err(SetupError::NotPrivate(crate::message::escape(text)));
        }
        let (scheme, usual) = if is_encrypted { ("wss", 443) } else { ("ws", 80) };
        Ok(Self(match port {
            Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

impl SetupCode {
    /// The code for a device that reaches the gateway at `url`.
    #[must_use]
    pub fn new(url: &GatewayUrl, token: Token, expires_at: Timestamp) -> Self {
        let expires_at_ms = Some(expires_at.as_millis());
        Self { url: url.0.clone(), bootstrap_token: token, expires_at_ms }
    }

    /// The text that a phone reads.
    #[must_use]
    pub fn encode(&self) -> String {
        // A string, a string and a number can't fail to be written.
        URL_SAFE_NO_PAD.encode(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads a code, with blanks around it.
    ///
    /// # Errors
    /// [`SetupError::NoCode`]; and what is wrong with its address.
    pub fn decode(text: &str) -> Result<Self, SetupError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(SetupError::NoCode);
        }
        let json = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| SetupError::NoCode)?;
        let code: Self = serde_json::from_slice(&json).map_err(|_| SetupError::NoCode)?;
        let url: GatewayUrl = code.url.parse()?;
        Ok(Self { url: url.0, ..code })
    }

    /// Where the gateway is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the device shows.
    #[must_use]
    pub fn bootstrap_token(&self) -> &Token {
        &self.bootstrap_token
    }

    /// Until when it works, if it says so.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at_ms.map(Timestamp::from_millis)
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_loopback(host: &str) -> bool {
    // "Any address" is no address to go to.
    let is_here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    address(host).map_or(host == "localhost" || host.ends_with(".localhost"), is_here)
}

/// Whether nobody beyond the house is on the way: loopback, private and link-local networks, `.local` (RFC 6762).
fn is_private(host: &str) -> bool {
    let is_near = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    is_loopback(host) || address(host).map_or(host.ends_with(".local"), is_near)
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetupCode").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (typed, read) in [
            ("wss://gate.example.org", "wss://gate.example.org"),
            ("https://Gate.Example.org:443/path?x=1", "wss://gate.example.org"),
            ("gate.example.org", "wss://gate.example.org"),
            ("gate.example.org:18790", "wss://gate.example.org:18790"),
            ("192.168.1.7:18790", "ws://192.168.1.7:18790"),
            ("http://10.0.0.1", "ws://10.0.0.1"),
            ("mac.local:80", "ws://mac.local"),
            ("[fd00::1]:18790", "ws://[fd00::1]:18790"),
            ("localhost:9", "ws://localhost:9"),
            ("wss://10.0.0.1:9", "wss://10.0.0.1:9"),
        ] {
            assert_eq!(typed.parse::<GatewayUrl>().unwrap().as_str(), read, "{typed}");
        }
        for bad in [
            "",
            "ftp://x",
            "ws://",
            "ws://a@b",
            "a b",
            "x:99999",
            "x:",
            "x:0",
            "://x",
            "mac.l[fe80::1]:9",
            "[fe80::1%25eth0]:9",
            "[a]:9",
            "a%20b",
            &"x".repeat(3_000),
        ] {
            assert!(matches!(bad.parse::<GatewayUrl>(), Err(SetupError::NoUrl(_))), "{bad}");
        }
    }

    #[test]
    fn nothing_goes_unencrypted_through_the_internet() {
        for bad in [
            "ws://gate.example.org",
            "http://8.8.8.8:80",
            "ws://local",
            "ws://x.local.example.org",
            "ws://[2001:db8::1]",
        ] {
            assert!(matches!(bad.parse::<GatewayUrl>(), Err(SetupError::NotPrivate(_))), "{bad}");
        }
        for loopback in ["127.0.0.1:1", "localhost", "[::1]:1", "0.0.0.0:1", "a.localhost"] {
            let url: GatewayUrl = loopback.parse().unwrap();
            assert_eq!(url.beyond_loopback(), Err(SetupError::LoopbackOnly), "{loopback}");
        }
    }

    #[test]
    fn a_code_is_read_as_it_was_written() {
        let token = Token::draw(&OsEntropy).unwrap();
        let url = "wss://gate.example.org".parse().unwrap();
        let code = SetupCode::new(&url, token.clone(), Timestamp::from_millis(1_700_000_600_000));
        assert_eq!(SetupCode::decode(&format!(" {}\n", code.encode())).unwrap(), code);
        assert!(!format!("{code:?}").contains(token.reveal()));
        let old = format!(r#"{{"url":"ws://10.0.0.1:9","bootstrapToken":"{}"}}"#, token.reveal());
        let old = SetupCode::decode(&URL_SAFE_NO_PAD.encode(old)).unwrap();
        assert_eq!((old.url(), old.expires_at()), ("ws://10.0.0.1:9", None));
        for bad in ["", "{}", "e30", "????", &"A".repeat(3_000)] {
            assert_eq!(SetupCode::decode(bad), Err(SetupError::NoCode), "{bad}");
        }
        let open = URL_SAFE_NO_PAD.encode(r#"{"url":"ws://8.8.8.8","bootstrapToken":"x"}"#);
        assert!(matches!(SetupCode::decode(&open), Err(SetupError::NotPrivate(_))));
    }
}
