//! An agent that is a server, with and without encryption: whom `dmgate run` trusts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use dmgate_test_peers::certificates;
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::place::Place;
use crate::running::{ANYWHERE, Running};

/// Starts an agent that says `yes` to everything, encrypted where it has certificates. Its address without the scheme,
/// and what came of each connection: who does not trust it hangs up.
fn agent(certificates: Option<&Path>) -> (String, Receiver<std::io::Result<()>>) {
    let tls = certificates.map(tls);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let answered = match &tls {
                None => answer(socket),
                Some(tls) => {
                    answer(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), socket))
                }
            };
            let _ = tell.send(answered);
        }
    });
    (address, told)
}

fn tls(certificates: &Path) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificates.join("cert.pem")).unwrap().map(Result::unwrap);
    let key = PrivateKeyDer::from_pem_file(certificates.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain.collect(), key).unwrap())
}

fn answer(socket: impl Read + Write) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        socket.read_line(&mut line)?;
        if let Some((_, value)) = line.split_once(": ").filter(|(name, _)| *name == "content-length") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    socket.read_exact(&mut vec![0; length])?;
    let body = r#"{"reply":"yes"}"#;
    let length = body.len();
    write!(socket.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A place where everybody talks to the agent at this address.
fn place(url: &str) -> Place {
    Place::with_config(&format!(
        "{ANYWHERE}[agent]\nkind = 'http'\nurl = '{url}'\nretries = 0\n\
         [channels.webchat]\ndm_policy = 'open'\nallow_from = ['*']\n"
    ))
}

#[test]
fn an_encrypted_agent_is_trusted_where_the_machine_knows_its_authority() {
    let (known, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates::make(known.path());
    certificates::make(other.path());
    let (address, answered) = agent(Some(known.path()));
    let place = place(&format!("https://{address}/"));
    let run = |authority: &Path| {
        Running::start(&place, &[], &[("SSL_CERT_FILE", authority.join("ca.pem").to_str().unwrap())])
    };

    let mut running = run(known.path());
    let mut ann = running.visitor();
    ann.write("hello");
    answered.recv().unwrap().unwrap();
    assert_eq!(ann.reads(), "yes");
    drop(running);

    let mut running = run(other.path());
    running.visitor().write("hello");
    answered.recv().unwrap().unwrap_err();
    let why = running.logged("the agent can't be reached");
    assert!(why.contains("invalid peer certificate"), "{why}");
    drop(running);

    let done = place.run_with(&["run"], &[("SSL_CERT_FILE", "/no/such/file")]);
    assert!(done.code != 0 && done.err.contains("no root certificates"), "{done:?}");
}

#[test]
fn an_agent_without_encryption_needs_no_root_certificates() {
    let (address, answered) = agent(None);
    let place = place(&format!("http://{address}/"));
    let mut running = Running::start(&place, &[], &[("SSL_CERT_FILE", "/no/such/file")]);
    let mut ann = running.visitor();
    ann.write("hello");
    answered.recv().unwrap().unwrap();
    assert_eq!(ann.reads(), "yes");
    running.signal(Signal::TERM);
    let (status, log) = running.ended();
    assert!(status.success() && !log.contains("certificate"), "they are not read: {log}");
}
