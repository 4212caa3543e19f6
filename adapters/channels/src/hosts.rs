//! Where we go when a platform names a place: to its own hosts and nowhere else.
//!
//! Addresses of files, of services (`serviceUrl`), of redirects are text that came from outside. Whoever could choose
//! them would have us fetch what only we can reach, or hand over a token.

use std::net::IpAddr;

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

    /// The address of a WebSocket, if it may lead there: `wss` is over TLS what `https` is, `ws` what `http` is, and so it is
    /// given back.
    pub(crate) fn allow_socket(&self, address: &str) -> Option<Url> {
        self.allow(&format!("http{}", address.strip_prefix("ws")?))
    }

    /// Whether a WebSocket may lead there.
    pub(crate) fn allows_socket(&self, address: &str) -> bool {
        self.allow_socket(address).is_some()
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

/// Whether an address is one of the open internet: none of a machine itself, of a private network or of special use.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            let is_special = matches!(
                (a, b, c),
                (0 | 10 | 127 | 224.., ..)
                    | (100, 64..=127, _)
                    | (169, 254, _)
                    | (172, 16..=31, _)
                    | (192, 0, 0 | 2)
                    | (192, 88, 99)
                    | (192, 168, _)
                    | (198, 18 | 19, _)
                    | (198, 51, 100)
                    | (203, 0, 113)
            );
            !is_special
        }
        IpAddr::V6(address) => {
            let [a, b, ..] = address.segments();
            // Of what is given out, 2001::/23 and 2002::/16 hold tunnels to addresses of another kind.
            matches!(a, 0x2000..=0x3ffe) && !matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _))
        }
    }
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
    fn only_addresses_of_the_open_internet_are_public() {
        for good in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.255", "2606:4700::1111"]
        {
            assert!(is_public(good.parse().unwrap()), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::1",
        ] {
            assert!(!is_public(bad.parse().unwrap()), "{bad}");
        }
    }

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
