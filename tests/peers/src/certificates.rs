//! Certificates that only those trust who were told to.

use std::path::Path;
use std::process::Command;

use crate::program;

/// Makes an authority in this folder (`ca.pem`), and a certificate for `localhost` and 127.0.0.1 signed by it (`cert.pem`,
/// `key.pem`).
pub fn make(dir: &Path) {
    let openssl = program("openssl");
    let request = |key: &str, certificate: &str, arguments: &[&str]| {
        let output = Command::new(&openssl)
            .current_dir(dir)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-days", "3650", "-keyout", key, "-out", certificate])
            .args(arguments)
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    };
    let authority = "basicConstraints=critical,CA:TRUE";
    request(
        "ca.key",
        "ca.pem",
        &["-subj", "/CN=test peers", "-addext", authority, "-addext", "keyUsage=keyCertSign"],
    );
    let (leaf, names) = ("basicConstraints=critical,CA:FALSE", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    let signed =
        ["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-addext", leaf, "-addext", names];
    request("key.pem", "cert.pem", &signed);
}
