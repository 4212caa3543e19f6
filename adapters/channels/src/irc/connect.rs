//! From the configuration to a connection.

use std::path::Path;

use super::Settings;
use crate::dial::{Address, NoTls, Stream, Tls, Unconnected};
use crate::options::ConfigError;

/// How a server proves who it is.
pub(super) fn tls(host: &str, ca_file: Option<&Path>) -> Result<Tls, ConfigError> {
    Tls::new(host, ca_file).map_err(|error| match (error, ca_file) {
        (NoTls::Name, _) => ConfigError::Invalid {
            name: "host",
            reason: "a server's name is expected, as `irc.example.org`".to_owned(),
        },
        (NoTls::Roots(reason), Some(_)) => ConfigError::Invalid { name: "ca_file", reason },
        (NoTls::Roots(reason), None) => ConfigError::Setup(reason),
    })
}

/// Connects; the error says what went wrong.
pub(super) async fn connect(settings: &Settings) -> Result<Box<dyn Stream>, String> {
    let address: &Address = &settings.address;
    address.connect(None).await.map_err(|error| match error {
        Unconnected::Unencrypted(..) => {
            format!("{error}; check `port`, `tls`, and for a network with an authority of its own `ca_file`")
        }
        _ => error.to_string(),
    })
}
