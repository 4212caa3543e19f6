//! Where devices reach the gateway: what `dmgate qr` and `/pair` tell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use dmgate::device::{GatewayUrl, SetupError};

use crate::config::gateway::GatewaySettings;

/// Why devices can't be told where to go, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoWay {
    /// There is nothing that lets devices in.
    #[error("devices are let in only where the gateway has a secret: set `token_file` in [gateway]")]
    NoSecret,
    /// No other machine gets there.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Where devices reach the gateway: at its public URL, else where it listens.
pub(crate) fn reached_at(gateway: &GatewaySettings) -> Result<GatewayUrl, NoWay> {
    if gateway.token.is_none() {
        return Err(NoWay::NoSecret);
    }
    let address = match &gateway.public_url {
        Some(url) => url.to_string(),
        None => format!("ws://{}", own_address(gateway.listen)),
    };
    Ok(address.parse::<GatewayUrl>()?.beyond_loopback()?)
}

/// The address that others know; where we listen on all, the one by which this machine would leave.
fn own_address(listen: SocketAddr) -> SocketAddr {
    if !listen.ip().is_unspecified() {
        return listen;
    }
    // Of a network that is nobody's (RFC 5737, RFC 3849). Nothing is sent: it is only asked for the way.
    let far: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    let leave_by = |(from, to): (IpAddr, IpAddr)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        socket.local_addr().ok()
    };
    let found = far.into_iter().find_map(leave_by).map_or(listen.ip(), |address| address.ip());
    SocketAddr::new(found, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(configuration: &str) -> Result<String, String> {
        let config = crate::config::tests::read(configuration).unwrap();
        reached_at(&config.gateway).map(|url| url.to_string()).map_err(|why| why.to_string())
    }

    #[test]
    fn devices_go_to_the_public_url_or_where_we_listen() {
        let with = |more: &str| of(&format!("[gateway]\ntoken = 't'\n{more}"));
        assert_eq!(with("public_url = 'https://gate.example.org'").unwrap(), "wss://gate.example.org");
        assert_eq!(with("listen = '192.168.1.7:18790'").unwrap(), "ws://192.168.1.7:18790");
        assert_eq!(with("listen = '[fd00::7]:80'").unwrap(), "ws://[fd00::7]");
        for nowhere in ["", "listen = '127.0.0.1:9'", "public_url = 'http://localhost:9'"] {
            assert!(with(nowhere).unwrap_err().contains("loopback only"), "{nowhere}");
        }
        assert!(with("listen = '8.8.8.8:18790'").unwrap_err().contains("without encryption"));
        // Wherever this machine is: somewhere, or it has no way out at all.
        let all = with("listen = '0.0.0.0:18790'");
        assert!(all.as_ref().is_ok_and(|url| !url.contains("0.0.0.0")) || all.is_err());
        assert!(of("[gateway]\npublic_url = 'https://gate.example.org'").unwrap_err().contains("token_file"));
    }
}
