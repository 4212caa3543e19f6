//! Where we go when a platform names a place: to its own hosts and nowhere else.
//!
//! Addresses of files, of services (`serviceUrl`), of redirects are text that came from outside. Whoever could choose
//! them would have us fetch what only we can reach, or hand over a token.

use reqwest::Url;

/// Hosts that may be called.
#[derive(Clone)]
pub(crate) struct Hosts {
    /// Over `https` at its own port: `files.example.org`, or `*.example.org` for all below it.
    known: &'static [&'static str],
    /// What the owner configured: scheme, host and port as they are.
    configured: Vec<Url>,
}

impl Hosts {
    /// The platform's own hosts, and those of the addresses that the owner configured.
    pub(crate) fn new<'a>(
        known: &'static [&'static str],
        configured: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self { known, configured: configured.into_iter().filter_map(|url| Url::parse(url).ok()).collect() }
    }

    /// The address, if we may go there.
    pub(crate) fn allow(&self, address: &str) -> Option<Url> {
        Url::parse(address).ok().filter(|url| self.allows(url))
    }

    /// Whether a WebSocket may lead there: `wss` counts as `https`, `ws` as `http`.
    pub(crate) fn allows_socket(&self, address: &str) -> bool {
        address.strip_prefix("ws").is_some_and(|rest| self.allow(&format!("http{rest}")).is_some())
    }

    /// Whether we may go there.
    pub(crate) fn allows(&self, url: &Url) -> bool {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_configured = self.configured.iter().any(|base| is_same_host(base, url));
        let is_known = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| self.known.iter().any(|known| is_below(host, known)));
        is_plain && (is_configured || is_known)
    }
}

/// Whether two addresses are of one server: scheme, host and port.
pub(crate) fn is_same_host(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn is_below(host: &str, known: &str) -> bool {
    match known.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => host == known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_hosts_and_the_configured_one_are_called() {
        let hosts = Hosts::new(&["files.example.org", "*.cdn.example"], ["http://127.0.0.1:8065/sub"]);
        for good in [
            "https://files.example.org/a?b",
            "https://FILES.example.org:443/a",
            "https://a.b.cdn.example/",
            "http://127.0.0.1:8065/elsewhere",
        ] {
            assert!(hosts.allow(good).is_some(), "{good}");
        }
        for bad in [
            "http://files.example.org/a",
            "https://files.example.org:8443/a",
            "https://files.example.org.evil.test/",
            "https://evil.test/files.example.org",
            "https://files.example.org@evil.test/",
            "https://me:pw@files.example.org/",
            "https://cdn.example/",
            "https://evilcdn.example/",
            "https://files.example.org./",
            "http://127.0.0.1:80/",
            "https://127.0.0.1:8065/",
            "http://169.254.169.254/",
            "http://[::1]:8065/",
            "file:///etc/passwd",
            "files.example.org",
        ] {
            assert!(hosts.allow(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_web_socket_leads_only_where_everything_else_may() {
        let hosts = Hosts::new(&["*.gateway.example"], ["http://127.0.0.1:8065"]);
        for good in ["wss://eu.gateway.example/?v=1", "ws://127.0.0.1:8065/x"] {
            assert!(hosts.allows_socket(good), "{good}");
        }
        for bad in [
            "ws://eu.gateway.example/",
            "wss://127.0.0.1:8065/",
            "wss://evil.test/",
            "https://eu.gateway.example/",
            "",
        ] {
            assert!(!hosts.allows_socket(bad), "{bad}");
        }
    }
}
