//! `dmgate qr`: a setup code for a phone.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use dmgate::Qr;
use dmgate::device::{GatewayUrl, SetupCode, SetupError};
use serde::Serialize;

use crate::config::Config;
use crate::context::{self, Context};
use crate::failure::Failure;
use crate::run::instance;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate qr
  dmgate qr --url wss://gate.example.org --setup-code-only
  dmgate qr --no-ascii --png setup.png";

/// A setup code.
#[derive(Args, Debug)]
pub(crate) struct SetUp {
    /// Where the phone reaches the gateway [default: gateway.public_url, else gateway.listen]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print the setup code and nothing else
    #[arg(long, conflicts_with_all = ["json", "png"])]
    setup_code_only: bool,
    /// As JSON: `{"setupCode", "gatewayUrl", "auth", "urlSource"}`
    #[arg(long)]
    json: bool,
    /// Also write it as a picture, which is a secret for ten minutes
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Draw nothing in the terminal
    #[arg(long)]
    no_ascii: bool,
}

/// A setup code, as scripts read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    setup_code: &'a str,
    gateway_url: &'a str,
    auth: &'static str,
    url_source: &'static str,
}

impl SetUp {
    /// Makes one.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let config = context.config()?;
        let auth = auth(&config).ok_or_else(|| no_auth(context))?;
        let (url, url_source) = where_to(self.url.as_deref(), &config)?;
        let made = context.devices()?.invite(context::actor()).await?;
        let expires_at = made.expires_at();
        let code = SetupCode::new(&url, made.token, expires_at).encode();
        if self.setup_code_only {
            context.terminal.line(code);
            return Ok(());
        }
        let qr = Qr::of(&code);
        if let Some(path) = &self.png {
            save(path, &qr.as_ref().map(Qr::png).unwrap_or_default())
                .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
        }
        if self.json {
            context.terminal.json(&Row { setup_code: &code, gateway_url: url.as_str(), auth, url_source });
            return Ok(());
        }
        if let Some(qr) = qr.filter(|_| !self.no_ascii) {
            context.terminal.line(qr.lines(io::stdout().is_terminal()));
        }
        context.terminal.line(format!("Setup code: {code}"));
        context.terminal.line(format!("Gateway:    {url} (from {url_source})"));
        context.terminal.line(format!("Works until {expires_at}, for the first device that shows it."));
        context.terminal.line("When the device asks, approve it with: dmgate devices approve");
        if instance::holder(&context.state_dir).is_none() {
            context.terminal.trouble("note: `dmgate run` is not running here, and nobody answers the device");
        }
        Ok(())
    }
}

/// Where devices reach the gateway as it is configured; or what is missing for that.
pub(crate) fn reached_at(context: &Context, config: &Config) -> Result<GatewayUrl, Failure> {
    auth(config).ok_or_else(|| no_auth(context))?;
    where_to(None, config).map(|(url, _)| url)
}

/// What the gateway asks of devices that have no token yet.
fn auth(config: &Config) -> Option<&'static str> {
    let of = |secret: &Option<_>, name| secret.as_ref().map(|_| name);
    of(&config.gateway.token, "token").or_else(|| of(&config.gateway.password, "password"))
}

fn no_auth(context: &Context) -> Failure {
    Failure::usage(format!(
        "the gateway lets no device in without a token of its own: set `token_file` (or `password_file`) in [gateway] of \
         {}, and start `dmgate run` again",
        context.sources.path.display()
    ))
}

/// Where a device reaches the gateway, and who says so.
fn where_to(typed: Option<&str>, config: &Config) -> Result<(GatewayUrl, &'static str), Failure> {
    let wrong = |error: SetupError| Failure::usage(error.to_string());
    if let Some(typed) = typed {
        // Also one of loopback: a phone may reach us through a cable or a tunnel.
        return Ok((typed.parse().map_err(wrong)?, "--url"));
    }
    if let Some(url) = &config.gateway.public_url {
        let url: GatewayUrl = url.to_string().parse().map_err(wrong)?;
        return Ok((url.beyond_loopback().map_err(wrong)?, "gateway.public_url"));
    }
    let listen = config.gateway.listen;
    let reached =
        if listen.ip().is_unspecified() { SocketAddr::new(own_address()?, listen.port()) } else { listen };
    // Nothing is encrypted where we listen ourselves.
    let url: GatewayUrl = format!("ws://{reached}").parse().map_err(wrong)?;
    Ok((url.beyond_loopback().map_err(wrong)?, "gateway.listen"))
}

/// The address of this machine in its private network, if it is in one and no more.
fn own_address() -> Result<IpAddr, Failure> {
    let table = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    match private_addresses(&table).as_slice() {
        [address] => Ok(IpAddr::V4(*address)),
        found => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            let choice =
                if found.is_empty() { String::new() } else { format!(", as one of {}", found.join(", ")) };
            Err(Failure::usage(format!(
                "which address of this machine a device reaches can't be told: name it with --url{choice}"
            )))
        }
    }
}

/// The private addresses among the kernel's own: each is a leaf, and the line below says what it is.
fn private_addresses(table: &str) -> Vec<Ipv4Addr> {
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let own = lines.windows(2).filter_map(|pair| match pair {
        [leaf, kind] if kind.starts_with("/32 host LOCAL") => leaf.strip_prefix("|-- ")?.parse().ok(),
        _ => None,
    });
    let mut found: Vec<Ipv4Addr> = own.filter(Ipv4Addr::is_private).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Writes the picture, for the owner alone, and not through what somebody else put there.
fn save(path: &Path, picture: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_from_the_kernels_table() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 192.168.1.0\n        \
                     /24 link UNICAST\n     |-- 192.168.1.7\n        /32 host LOCAL\n     |-- 192.168.1.255\n        /32 \
                     link BROADCAST\nLocal:\n     |-- 192.168.1.7\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 \
                     host LOCAL\n     |-- 8.8.8.8\n        /32 host LOCAL\n";
        assert_eq!(private_addresses(table), [Ipv4Addr::new(192, 168, 1, 7)]);
        let two = format!("{table}     |-- 10.0.0.2\n        /32 host LOCAL\n");
        assert_eq!(private_addresses(&two).len(), 2);
        assert_eq!(private_addresses("").len(), 0);
    }
}
