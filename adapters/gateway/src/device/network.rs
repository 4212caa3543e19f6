//! Networks that the owner trusts: `10.0.0.0/8`, `fd00::/8`, one address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A network, as the owner writes it. Never one with loopback in it: behind a proxy everybody comes from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NetworkError {
    /// It is none.
    #[error("write a network, as `10.0.0.0/8` or `fd00::/8`, or one address")]
    NoNetwork,
    /// Loopback is in it.
    #[error("loopback is in it, where a proxy may stand and everybody seems to come from")]
    Loopback,
}

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.prefix.into())).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.prefix.into())).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NoNetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or(NetworkError::NoNetwork)?
            }
            Some(_) => return Err(NetworkError::NoNetwork),
        };
        // `::ffff:10.0.0.1` is an address of the other kind: its prefix would be read wrongly.
        if address.to_canonical() != address {
            return Err(NetworkError::NoNetwork);
        }
        let network = Self { address, prefix };
        let loopback = [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()];
        // A part of 127.0.0.0/8 is loopback as well.
        if address.is_loopback() || loopback.into_iter().any(|loopback| network.contains(loopback)) {
            return Err(NetworkError::Loopback);
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_network() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("192.168.1.128/25", "::ffff:192.168.1.129", "192.168.1.127"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("10.0.0.0/8", "10.0.0.0", "::"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "fd00::/129",
            "x",
            "::ffff:10.0.0.0/104",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError::NoNetwork), "{bad}");
        }
        for bad in ["127.0.0.1", "127.8.0.0/16", "0.0.0.0/0", "::1", "::/0", "127.0.0.0/8"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError::Loopback), "{bad}");
        }
    }
}
