//! InspIRCd with Anope's services: an IRC network with accounts, SASL, the `account-tag` capability, and TLS.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{IrcClient, Process, certificates, free_ports, loopback, program, scratch_dir};

/// The modules that the accounts need; Anope refuses the link without `chghost`, `hidechans` and `svshold`.
const MODULES: [&str; 14] = [
    "cap",
    "chghost",
    "chgident",
    "hidechans",
    "ircv3",
    "ircv3_accounttag",
    "ircv3_capnotify",
    "ircv3_ctctags",
    "ircv3_msgid",
    "ircv3_servertime",
    "sasl",
    "services_account",
    "spanningtree",
    "svshold",
];

/// `nobody`, on every Linux.
const NOBODY: u32 = 65534;

/// A running network: one server and its services.
#[derive(Debug)]
pub struct Inspircd {
    /// Where clients connect without TLS.
    pub addr: SocketAddr,
    /// Where clients connect with TLS; the server's name is `localhost`.
    pub tls_addr: SocketAddr,
    /// The file with the certificate of the authority that signed the server's.
    pub ca_pem: PathBuf,
    // Dropped in this order: services first.
    _services: Process,
    _server: Process,
    _dir: TempDir,
}

impl Inspircd {
    /// Starts the server and its services, and waits until clients can log in.
    pub fn start() -> Self {
        let (server, services) = (program("inspircd"), program("anope"));
        let dir = scratch_dir();
        let [addr, tls_addr, link] = free_ports().map(loopback);
        certificates::make(dir.path());

        let config = dir.path().join("inspircd.conf");
        fs::write(&config, server_configuration(dir.path(), addr, tls_addr, link))
            .expect("inspircd's configuration");
        let mut server = Process::spawn(
            "inspircd",
            Command::new(server)
                .arg("--nofork")
                .arg("--runasroot")
                .arg(format!("--config={}", config.display())),
        );
        server.await_line(|line| line.starts_with("InspIRCd is now running"));

        let services = start_services(&services, dir.path(), link);
        await_sasl(addr);
        Self {
            addr,
            tls_addr,
            ca_pem: dir.path().join("ca.pem"),
            _services: services,
            _server: server,
            _dir: dir,
        }
    }

    /// Creates an account, as its owner would: by asking NickServ. The password is one word.
    pub fn register(&self, nick: &str, password: &str) {
        let mut owner = IrcClient::join(self.addr, nick);
        owner.privmsg("NickServ", &format!("REGISTER {password}"));
        let answer = owner.expect(|line| line.starts_with(":NickServ!"));
        assert!(answer.ends_with(" registered."), "no account for `{nick}`: {answer}");
        // The nick is free again once the server has taken leave of us.
        owner.send("QUIT");
        owner.expect(|line| line.starts_with("ERROR "));
    }
}

fn start_services(program: &Path, dir: &Path, link: SocketAddr) -> Process {
    let home = dir.join("anope");
    for folder in ["data", "logs"] {
        fs::create_dir_all(home.join(folder)).expect("anope's folders");
    }
    fs::write(home.join("services.conf"), services_configuration(&home, link))
        .expect("anope's configuration");

    let mut command = Command::new(program);
    command
        .arg("--nofork")
        .arg(format!("--confdir={}", home.display()))
        .arg(format!("--dbdir={}", home.join("data").display()))
        .arg(format!("--logdir={}", home.join("logs").display()))
        .arg("--localedir=/usr/share/locale")
        .arg("--modulesdir=/usr/lib/anope");
    // Started by root, Anope prints a warning and sleeps for three seconds: let it be nobody then.
    if home.metadata().expect("anope's folder").uid() == 0 {
        open_to_all(dir);
        for folder in [home.clone(), home.join("data"), home.join("logs")] {
            open_to_all(&folder);
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut services = Process::spawn("anope", &mut command);
    services.await_line(|line| line.ends_with("services.peers.test (services) is done syncing"));
    services
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("a folder of ours");
}

/// The server offers SASL only while services that do it are linked, and announces it when they come.
fn await_sasl(addr: SocketAddr) {
    let mut client = IrcClient::connect(addr);
    client.send("CAP LS 302");
    client.expect(|line| (line.contains(" LS ") || line.contains(" NEW ")) && line.contains("PLAIN"));
}

fn server_configuration(dir: &Path, addr: SocketAddr, tls_addr: SocketAddr, link: SocketAddr) -> String {
    let modules: String = MODULES.map(|name| format!("<module name=\"{name}\">\n")).concat();
    // No limit on connections, no look-ups and no artificial lag, so that a test's many clients are let in at
    // once.
    format!(
        r#"{modules}<module name="ssl_gnutls">
<server name="irc.peers.test" description="test peer" network="peers" id="1PT">
<admin name="peers" nick="peers" email="peers@peers.test">
<sslprofile name="tls" provider="gnutls" certfile="{dir}/cert.pem" keyfile="{dir}/key.pem" hash="sha256">
<bind address="{ip}" port="{port}" type="clients">
<bind address="{ip}" port="{tls_port}" type="clients" sslprofile="tls">
<bind address="{ip}" port="{link_port}" type="servers">
<link name="services.peers.test"
      ipaddr="{ip}" port="{link_port}" allowmask="{ip}" sendpass="link" recvpass="link">
<uline server="services.peers.test" silent="yes">
<sasl target="services.peers.test">
<connect name="all" allow="*" localmax="1000" globalmax="1000"
         threshold="1000" commandrate="1000000" fakelag="no">
<options casemapping="ascii">
<dns enabled="no">
<pid file="{dir}/inspircd.pid">
<log method="file" type="*" level="default" target="{dir}/inspircd.log">
"#,
        dir = dir.display(),
        ip = addr.ip(),
        port = addr.port(),
        tls_port = tls_addr.port(),
        link_port = link.port(),
    )
}

fn services_configuration(home: &Path, link: SocketAddr) -> String {
    // `casemap` must be the server's. Accounts need no e-mail address, are not confirmed and do not expire.
    format!(
        r#"uplink {{ host = "{ip}"; port = {port}; password = "link" }}
serverinfo {{
    name = "services.peers.test"; description = "services"; id = "2PT"
    pid = "{home}/anope.pid"; motd = "/dev/null"
}}
networkinfo {{ networkname = "peers"; nicklen = 30; userlen = 10; hostlen = 64; chanlen = 32 }}
options {{
    casemap = "ascii"
    readtimeout = 5s; warningtimeout = 4h; timeoutcheck = 3s; retrywait = 1s
    updatetimeout = 5m; expiretimeout = 30m
}}
service {{ nick = "NickServ"; user = "services"; host = "services.peers.test"; gecos = "accounts" }}
module {{ name = "inspircd3" }}
module {{ name = "m_sasl" }}
module {{ name = "enc_sha256" }}
module {{ name = "db_flatfile"; database = "peers.db"; keepbackups = 0; nobackupokay = yes; fork = no }}
module {{
    name = "nickserv"; client = "NickServ"; guestnickprefix = "Guest"; nonicknameownership = yes
    forceemail = no; defaults = ""; expire = 0
}}
module {{ name = "ns_register"; registration = "none" }}
module {{ name = "ns_identify" }}
command {{ service = "NickServ"; name = "REGISTER"; command = "nickserv/register" }}
command {{ service = "NickServ"; name = "IDENTIFY"; command = "nickserv/identify" }}
"#,
        ip = link.ip(),
        port = link.port(),
        home = home.display(),
    )
}
