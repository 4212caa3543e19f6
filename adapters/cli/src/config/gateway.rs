//! `[gateway]`: what listens.

use std::net::SocketAddr;

use dmgate_gateway::{Network, PublicUrl};

use super::error::ConfigError;
use super::node::Origin;
use super::secret::Secret;
use super::section::Section;

/// What listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewaySettings {
    /// On which address.
    pub(crate) listen: SocketAddr,
    /// Whether somebody said so.
    pub(crate) is_chosen: bool,
    /// How others reach it.
    pub(crate) public_url: Option<PublicUrl>,
    /// What devices and the HTTP API show.
    pub(crate) token: Option<Secret>,
    /// What people type into devices in its place.
    pub(crate) password: Option<Secret>,
    /// Networks from where nodes that ask for no rights are let in unasked.
    pub(crate) auto_approve: Vec<Network>,
}

impl GatewaySettings {
    /// What is shown to be let in.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.token.iter().chain(&self.password)
    }
}

/// Where we listen when nobody says.
pub(crate) const LISTEN: &str = "127.0.0.1:18790";

/// Reads the section.
pub(crate) fn read(mut section: Section<'_>) -> Result<GatewaySettings, ConfigError> {
    let listen = section.text_or("listen", LISTEN)?;
    let named = match listen.value.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => listen.value.clone(),
    };
    let address: SocketAddr = named.parse().map_err(|_| {
        let what =
            format!("is `{}`; write an address and a port, as `{LISTEN}`", dmgate::escape(&listen.value));
        section.bad("listen", &listen.origin, what)
    })?;
    let public_url = match section.text("public_url")? {
        None => None,
        Some(url) => Some(
            url.value
                .parse()
                .map_err(|error| section.bad("public_url", &url.origin, format!("is refused: {error}")))?,
        ),
    };
    let (token, password) = (section.secret("token")?, section.secret("password")?);
    let mut auto_approve = Vec::new();
    for entry in section.texts("auto_approve")? {
        let network = entry.value.parse().map_err(|error| {
            let what = format!("holds `{}`: {error}", dmgate::escape(&entry.value));
            section.bad("auto_approve", &entry.origin, what)
        })?;
        auto_approve.push(network);
    }
    if !address.ip().is_loopback() && token.is_none() && password.is_none() {
        let what =
            format!("is `{address}`, which others can reach, and needs a token: set gateway.token_file");
        return Err(section.bad("listen", &listen.origin, what));
    }
    section.finish()?;
    let is_chosen = listen.origin != Origin::Default;
    Ok(GatewaySettings { listen: address, is_chosen, public_url, token, password, auto_approve })
}
