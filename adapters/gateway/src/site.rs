//! Where the web chat is at home: which `Host` it answers to, and which `Origin` may use it.
//!
//! `Host` is checked against DNS rebinding: a name that a stranger's DNS points at loopback makes a visitor's browser
//! talk to us in that stranger's name. `Origin` is checked against other sites' pages, also those on another port of the
//! same host, which cookies do not tell apart.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, StatusCode, Uri, header};

/// Where people reach the gateway: `https://gate.example.org`, no path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl {
    is_https: bool,
    host: String,
    port: Option<u16>,
}

/// Why a text is no public URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no public URL: use `https://` and a host, as `https://gate.example.org`, without a path")]
pub struct PublicUrlError(String);

/// The sites of the web chat.
pub(crate) struct Sites {
    sites: Vec<Site>,
    /// The owner is told once, not once for each request.
    has_warned: AtomicBool,
}

/// One way to reach the web chat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Site {
    pub(crate) is_https: bool,
    /// Host and port, as a browser writes them: no port where it is the scheme's.
    authority: String,
}

// === impl PublicUrl ===

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let wrong = || PublicUrlError(dmgate::escape(text));
        let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let is_https = match &parts.scheme {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong()),
        };
        let authority = parts.authority.filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(wrong)?;
        let has_port = authority.as_str().len() > authority.host().len();
        let is_bare = parts.path_and_query.is_none_or(|path| path == "/");
        if !is_bare || authority.host().is_empty() || (has_port && authority.port_u16().is_none()) {
            return Err(wrong());
        }
        Ok(Self { is_https, host: authority.host().to_ascii_lowercase(), port: authority.port_u16() })
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&Site::new(self.is_https, &self.host, self.port).origin())
    }
}

// === impl Sites ===

impl Sites {
    pub(crate) fn new(port: u16, public_url: Option<&PublicUrl>) -> Self {
        let loopback = ["127.0.0.1", "localhost", "[::1]"].map(|host| Site::new(false, host, Some(port)));
        let public = public_url.map(|url| Site::new(url.is_https, &url.host, url.port));
        // The public one first: it may be a loopback name with another scheme.
        Self { sites: public.into_iter().chain(loopback).collect(), has_warned: AtomicBool::new(false) }
    }

    /// The site that a request is for, if its `Host` is one of ours and its `Origin` may do this.
    pub(crate) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Site, StatusCode> {
        let site = self.asked_for(uri, headers).ok_or(StatusCode::MISDIRECTED_REQUEST)?;
        if site.may(method, uri.path(), headers) {
            return Ok(site.clone());
        }
        tracing::debug!(path = uri.path(), "a request of another site is refused");
        Err(StatusCode::FORBIDDEN)
    }

    fn asked_for(&self, uri: &Uri, headers: &HeaderMap) -> Option<&Site> {
        let host = only(headers, header::HOST)?;
        let site = self.sites.iter().find(|site| site.is_called(host));
        if site.is_none() {
            let host = dmgate::escape(host);
            if self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::debug!(host, "a request for another host is refused");
            } else {
                tracing::warn!(
                    host,
                    "a request for another host is refused; if people reach the web chat by this name, \
                     set `public_url` in `[gateway]`"
                );
            }
        }
        // A request line may name a host too (RFC 9112 §3.2.2), and then counts before the header: both must agree.
        let in_line = uri.authority().map(Authority::as_str);
        site.filter(|site| in_line.is_none_or(|authority| site.is_called(authority)))
    }
}

// === impl Site ===

impl Site {
    fn new(is_https: bool, host: &str, port: Option<u16>) -> Self {
        let usual = if is_https { 443 } else { 80 };
        let authority = match port {
            Some(port) if port != usual => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        Self { is_https, authority }
    }

    fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.authority)
    }

    fn is_called(&self, host: &str) -> bool {
        let usual = if self.is_https { ":443" } else { ":80" };
        host.strip_suffix(usual).unwrap_or(host).eq_ignore_ascii_case(&self.authority)
    }

    /// Whether a page that shows this may do that here. Other sites may lead people to the page, and nothing else.
    fn may(&self, method: &Method, path: &str, headers: &HeaderMap) -> bool {
        let fetch_site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
        if headers.contains_key(header::ORIGIN) {
            let origin = only(headers, header::ORIGIN);
            return origin.is_some_and(|origin| origin.eq_ignore_ascii_case(&self.origin()));
        }
        if !method.is_safe() {
            // Every browser sends `Origin` or this one with a `POST`.
            return fetch_site == Some(b"same-origin");
        }
        path == "/chat" || matches!(fetch_site, None | Some(b"same-origin" | b"none"))
    }
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sites: &Sites, method: &Method, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(header::HeaderName::from_static(name), value.parse().unwrap());
        }
        sites.check(method, &uri.parse().unwrap(), &map).map_or_else(|status| status.as_u16(), |_| 200)
    }

    fn sites() -> Sites {
        Sites::new(18_790, Some(&"https://Gate.Example.org/".parse().unwrap()))
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for (text, shown) in [
            ("https://gate.example.org", "https://gate.example.org"),
            ("https://gate.example.org:443/", "https://gate.example.org"),
            ("http://LOCALHOST:8080", "http://localhost:8080"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "gate.example.org",
            "ftp://x",
            "https://",
            "https://x/chat",
            "https://x/?a",
            "https://a@x",
            "https://x:70000",
            "https://x:",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn other_hosts_are_turned_away() {
        let sites = sites();
        for host in
            ["127.0.0.1:18790", "LocalHost:18790", "[::1]:18790", "gate.example.org", "gate.example.org:443"]
        {
            assert_eq!(check(&sites, &Method::GET, "/chat", &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:18790",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:18791",
            "127.1:18790",
            "localhost.:18790",
            "localhost.evil.example:18790",
            "gate.example.org:80",
            "gate.example.org.evil.example",
            "",
        ] {
            assert_eq!(check(&sites, &Method::GET, "/chat", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(check(&sites, &Method::GET, "/chat", &[]), 421);
        let twice = [("host", "127.0.0.1:18790"), ("host", "127.0.0.1:18790")];
        assert_eq!(check(&sites, &Method::GET, "/chat", &twice), 421);
        let host = [("host", "127.0.0.1:18790")];
        assert_eq!(check(&sites, &Method::GET, "http://evil.example/chat", &host), 421);
    }

    #[test]
    fn other_origins_are_turned_away() {
        let sites = sites();
        let asks = |method: &Method, path: &str, more: &[(&'static str, &str)]| {
            check(&sites, method, path, &[&[("host", "127.0.0.1:18790")], more].concat())
        };
        let origin = |origin| [("origin", origin)];
        let from = |site| [("sec-fetch-site", site)];
        assert_eq!(asks(&Method::POST, "/chat/messages", &origin("http://127.0.0.1:18790")), 200);
        assert_eq!(asks(&Method::POST, "/chat/messages", &from("same-origin")), 200);
        assert_eq!(asks(&Method::GET, "/chat/events", &from("same-origin")), 200);
        assert_eq!(asks(&Method::GET, "/chat/events", &[]), 200);
        assert_eq!(asks(&Method::GET, "/chat", &from("cross-site")), 200, "people may follow a link");
        for bad in [
            "null",
            "",
            "http://evil.example",
            "http://localhost:18790",
            "http://127.0.0.1:18791",
            "https://127.0.0.1:18790",
            "http://127.0.0.1:18790.evil.example",
            "https://gate.example.org",
        ] {
            assert_eq!(asks(&Method::POST, "/chat/messages", &origin(bad)), 403, "{bad}");
            assert_eq!(asks(&Method::GET, "/chat/events", &origin(bad)), 403, "{bad}");
        }
        assert_eq!(asks(&Method::POST, "/chat/messages", &[]), 403);
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(asks(&Method::POST, "/chat/session", &from(site)), 403, "{site}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(asks(&Method::GET, "/chat/events", &from(site)), 403, "{site}");
        }
        let both = [("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")];
        assert_eq!(asks(&Method::POST, "/chat/messages", &both), 403);
    }
}
