//! Encrypted connections: rustls with *ring*, which builds without a C++ tool chain, and the machine's own root
//! certificates. They come with reqwest's verifier anyway, so they cost no crate, and they hold what the owner of the
//! machine trusts: a company's own authority works without an option.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// What a client of these addresses trusts: the machine's root certificates. Where no address begins with `https` they
/// are not read, and nobody is trusted.
///
/// # Errors
/// What the owner is told if the machine has none.
#[cfg(feature = "_http")]
pub fn client_of<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Result<ClientConfig, String> {
    client_trusting(addresses, None)
}

/// The same, and beside them what is in the PEM file `extra`: for servers with an authority of their own.
#[cfg(feature = "_http")]
pub(crate) fn client_trusting<'a>(
    addresses: impl IntoIterator<Item = &'a str>,
    extra: Option<&Path>,
) -> Result<ClientConfig, String> {
    if addresses.into_iter().any(is_secure) { client(extra) } else { config(RootCertStore::empty()) }
}

/// What clients trust: the machine's root certificates, and those in `extra`.
pub(crate) fn client(extra: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = machine_roots().clone();
    if let Some(path) = extra {
        add(&mut roots, path).map_err(|error| format!("`{}` {error}", path.display()))?;
    }
    if roots.is_empty() {
        return Err(
            "this machine has no root certificates; install `ca-certificates`, or name a file with them \
                    in the variable SSL_CERT_FILE"
                .to_owned(),
        );
    }
    config(roots)
}

#[cfg(feature = "_http")]
fn is_secure(address: &str) -> bool {
    address.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

fn config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| format!("no version of TLS can be used: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Read once: there are hundreds.
fn machine_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!("some root certificates can't be read: {error}");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots
    })
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| format!("can't be read: {error}"))?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| format!("is no PEM file: {error}"))?;
        roots.add(certificate).map_err(|error| format!("holds a certificate that can't be used: {error}"))?;
    }
    if roots.len() == before { Err("holds no certificate".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "_http")]
    #[test]
    fn only_https_is_proven_by_certificates() {
        assert!(is_secure("https://gate.example.org") && is_secure("HTTPS://user:word@proxy:3128"));
        for plain in ["", "http://https:1", "https", "proxy:3128", "ü://x"] {
            assert!(!is_secure(plain), "{plain}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_no_authority() {
        let trouble = |path: &str| client(Some(Path::new(path))).err().unwrap_or_default();
        assert!(trouble("/no/such/file").starts_with("`/no/such/file` can't be read"));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(trouble(manifest), format!("`{manifest}` holds no certificate"));
    }
}
