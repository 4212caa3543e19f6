//! Connections that stay open: to a host, perhaps through a proxy, perhaps encrypted.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::{Secret, tls};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(20);

/// The longest answer of a proxy.
const PROXY_LIMIT: usize = 8 * 1024;

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a connection leads.
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
}

/// How a server proves who it is.
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// Why a server can't prove who it is.
#[derive(Debug)]
pub(crate) enum NoTls {
    /// Its name is none.
    Name,
    /// There is nothing to prove it by.
    Roots(String),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconnected {
    #[error("`{0}` port {1} can't be reached: {2}")]
    Unreachable(String, u16, io::Error),
    #[error("`{0}` port {1} does not answer")]
    Silent(String, u16),
    #[error("no encrypted connection to `{0}` port {1}: {2}")]
    Unencrypted(String, u16, io::Error),
    #[error("the proxy does not connect us: {0}")]
    Proxy(String),
}

/// A proxy that takes `CONNECT`, as `http://user:password@proxy.example.org:3128`.
#[derive(Clone)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    credentials: Option<Secret>,
}

impl Tls {
    /// Trusts the machine's authorities, and those in `extra`.
    pub(crate) fn new(host: &str, extra: Option<&Path>) -> Result<Self, NoTls> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NoTls::Name)?;
        let config = tls::client(extra).map_err(NoTls::Roots)?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

impl Address {
    /// Connects; each step has its time.
    pub(crate) async fn connect(&self, proxy: Option<&Proxy>) -> Result<Box<dyn Stream>, Unconnected> {
        match tokio::time::timeout(CONNECT, self.connect_slowly(proxy)).await {
            Ok(connected) => connected,
            Err(_) => Err(Unconnected::Silent(self.host.clone(), self.port)),
        }
    }

    async fn connect_slowly(&self, proxy: Option<&Proxy>) -> Result<Box<dyn Stream>, Unconnected> {
        let (host, port) = (self.host.clone(), self.port);
        let (near, near_port) = proxy.map_or((&host, port), |proxy| (&proxy.host, proxy.port));
        let stream = TcpStream::connect((near.as_str(), near_port)).await;
        let mut stream = stream.map_err(|error| Unconnected::Unreachable(near.clone(), near_port, error))?;
        let _ = stream.set_nodelay(true);
        if let Some(proxy) = proxy {
            proxy.tunnel(&mut stream, &host, port).await.map_err(Unconnected::Proxy)?;
        }
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        match tls.connector.connect(tls.name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Unconnected::Unencrypted(host, port, error)),
        }
    }
}

impl Proxy {
    /// The proxy at this address; the error does not show it, since it may hold a password.
    pub(crate) fn parse(address: &Secret) -> Result<Self, String> {
        let expected = || "a proxy's address is expected, as `http://proxy.example.org:3128`".to_owned();
        let uri: Uri = address.reveal().trim().parse().map_err(|_| expected())?;
        if uri.scheme_str() != Some("http") {
            return Err(expected());
        }
        let authority = uri.authority().ok_or_else(expected)?;
        let credentials = authority.as_str().rsplit_once('@').map(|(credentials, _)| {
            let plain = |text: &str| {
                let query = format!("x={}", text.replace('+', "%2B"));
                form_urlencoded::parse(query.as_bytes()).next().map(|(_, text)| text.into_owned())
            };
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let plain =
                format!("{}:{}", plain(user).unwrap_or_default(), plain(password).unwrap_or_default());
            Secret::new(STANDARD.encode(plain))
        });
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: authority.port_u16().unwrap_or(80), credentials })
    }

    async fn tunnel(&self, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), String> {
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n");
        if let Some(credentials) = &self.credentials {
            head.push_str(&format!("proxy-authorization: Basic {}\r\n", credentials.reveal()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the head is the server's.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() > PROXY_LIMIT {
                return Err("its answer never ends".to_owned());
            }
            answer.push(stream.read_u8().await.map_err(|error| error.to_string())?);
        }
        let line = String::from_utf8_lossy(&answer);
        match line.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(()),
            status => Err(format!("it answers {}", dmgate::escape(status.unwrap_or("nothing")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn plain(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port, tls: None }
    }

    async fn told(proxy: &TcpListener, answer: &str) -> (String, tokio::net::TcpStream) {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        (String::from_utf8(asked).unwrap(), stream)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_the_host_and_then_is_out_of_the_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Proxy::parse(&Secret::new(format!("http://me:p%40ss@127.0.0.1:{port}"))).unwrap();
        let address = plain("chat.example.org", 443);
        let answer = "HTTP/1.1 200 OK\r\nx: y\r\n\r\nhello";
        let (stream, (asked, _proxy)) = tokio::join!(address.connect(Some(&proxy)), told(&listener, answer));
        assert!(asked.starts_with("CONNECT chat.example.org:443 HTTP/1.1\r\nhost: chat.example.org:443\r\n"));
        assert!(asked.contains(&format!("proxy-authorization: Basic {}\r\n", STANDARD.encode("me:p@ss"))));
        let mut hello = [0; 5];
        stream.unwrap().read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello", "what follows is the server's");

        for answer in
            ["HTTP/1.1 407 No\r\n\r\n".to_owned(), "x".repeat(PROXY_LIMIT + 1), "\r\n\r\n".to_owned()]
        {
            let (stream, _) = tokio::join!(address.connect(Some(&proxy)), told(&listener, &answer));
            assert!(matches!(stream.err(), Some(Unconnected::Proxy(_))));
        }
    }

    #[tokio::test]
    async fn what_does_not_answer_or_is_not_there_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = plain("127.0.0.1", port).connect(None).await.err().unwrap();
        assert!(
            error.to_string().starts_with(&format!("`127.0.0.1` port {port} can't be reached")),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_and_not_shown() {
        for wrong in ["", "proxy", "https://me:s3cret@proxy", "socks5://proxy:1", "http://"] {
            let error = Proxy::parse(&Secret::new(wrong)).err().unwrap();
            assert!(!error.contains("s3cret"));
        }
        let proxy = Proxy::parse(&Secret::new("http://[::1]:8080/")).unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 8080));
        assert_eq!(Proxy::parse(&Secret::new("http://proxy")).unwrap().port, 80);
    }
}
