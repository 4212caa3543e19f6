//! From a name to a connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Settings;
use crate::options::ConfigError;
use crate::tls;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(20);

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How a server proves who it is.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    pub(super) fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, ConfigError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConfigError::Invalid {
            name: "host",
            reason: "a server's name is expected, as `irc.example.org`".to_owned(),
        })?;
        let config = tls::client(ca_file).map_err(|reason| match ca_file {
            Some(_) => ConfigError::Invalid { name: "ca_file", reason },
            None => ConfigError::Setup(reason),
        })?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

/// Connects; the error says what went wrong.
pub(super) async fn connect(settings: &Settings) -> Result<Box<dyn Stream>, String> {
    let Settings { host, port, .. } = settings;
    let connect = async {
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.map_err(|error| format!("`{host}` port {port} can't be reached: {error}"))?;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &settings.tls else { return Ok(Box::new(stream) as Box<dyn Stream>) };
        match tls.connector.connect(tls.name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream) as Box<dyn Stream>),
            Err(error) => Err(format!(
                "no encrypted connection to `{host}` port {port}: {error}; check `port`, `tls`, and for a network with \
                 an authority of its own `ca_file`"
            )),
        }
    };
    match tokio::time::timeout(CONNECT, connect).await {
        Ok(connected) => connected,
        Err(_) => Err(format!("`{host}` port {port} does not answer")),
    }
}
