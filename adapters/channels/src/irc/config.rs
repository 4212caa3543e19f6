//! What the IRC adapter is told.

use std::path::PathBuf;

use super::connect;
use super::route::is_nick;
use crate::dial::Address;
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the IRC adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The server's name.
    pub host: String,
    /// Our nick: one word that begins with a letter, at most 64 bytes.
    pub nick: String,
    /// What senders are known by.
    pub identity: Identity,
    /// The account that we log in to (SASL PLAIN); one line.
    pub sasl_user: Option<String>,
    /// The password of that account; one line.
    pub sasl_password: Option<Secret>,
    /// The password of the server itself; one line.
    pub password: Option<Secret>,
    /// The port; `None` for 6697, or 6667 without TLS.
    pub port: Option<u16>,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// A PEM file with certificates to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// The user name that others see, one word; `None` for the nick.
    pub user: Option<String>,
    /// The real name that others see; one line.
    pub realname: String,
}

/// What a sender is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// Their services account.
    Account,
    /// Their whole mask, which is worth as much as the server's word for it.
    Hostmask,
}

/// The configuration, checked.
pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) nick: String,
    pub(super) user: String,
    pub(super) realname: String,
    pub(super) password: Option<Secret>,
    pub(super) sasl: Option<(String, Secret)>,
    pub(super) identity: Identity,
}

const IDENTITIES: [(&str, Identity); 2] = [("account", Identity::Account), ("hostmask", Identity::Hostmask)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    HOST,
    NICK,
    OptionSpec::optional(
        "identity",
        OptionKind::OneOf(&["account", "hostmask"]),
        "What senders are known by: `account` is their services account; `hostmask`, for networks without services, \
         is `nick!user@host`, which can be forged more easily.",
    )
    .or("account"),
    OptionSpec::optional("sasl_user", OptionKind::String, "The account that we log in to (SASL PLAIN)."),
    OptionSpec::optional("sasl_password", OptionKind::Secret, "The password of that account."),
    OptionSpec::optional("password", OptionKind::Secret, "The password of the server itself, if it has one."),
    OptionSpec::optional("port", OptionKind::Integer, "The port; if not given, 6697, or 6667 without TLS."),
    OptionSpec::optional("tls", OptionKind::Bool, "Whether the connection is encrypted.").or("true"),
    OptionSpec::optional(
        "ca_file",
        OptionKind::String,
        "A PEM file with certificates to trust besides the machine's, for networks with an authority of their own.",
    ),
    OptionSpec::optional("user", OptionKind::String, "The user name that others see; if not given, the nick."),
    OptionSpec::optional("realname", OptionKind::String, "The real name that others see.").or(REALNAME),
];

const HOST: OptionSpec =
    OptionSpec::required("host", OptionKind::String, "The server, as `irc.example.org`.");

const NICK: OptionSpec = OptionSpec::required(
    "nick",
    OptionKind::String,
    "Our nick; if it is in use, the same with `_` after it.",
);

const REALNAME: &str = "dmgate";

impl Config {
    /// An encrypted connection without a login, to a network with services.
    #[must_use]
    pub fn new(host: String, nick: String) -> Self {
        Self {
            host,
            nick,
            identity: Identity::Account,
            sasl_user: None,
            sasl_password: None,
            password: None,
            port: None,
            tls: true,
            ca_file: None,
            user: None,
            realname: REALNAME.to_owned(),
        }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let host = options.text("host")?.ok_or_else(|| HOST.missing())?;
        let nick = options.text("nick")?.ok_or_else(|| NICK.missing())?;
        let rest = Self::new(host, nick);
        Ok(Self {
            identity: options.word("identity", &IDENTITIES)?.unwrap_or(rest.identity),
            sasl_user: options.text("sasl_user")?,
            sasl_password: options.secret("sasl_password")?,
            password: options.secret("password")?,
            port: options.port("port")?,
            tls: options.bool("tls")?.unwrap_or(rest.tls),
            ca_file: options.text("ca_file")?.map(PathBuf::from),
            user: options.text("user")?,
            realname: options.text("realname")?.unwrap_or(rest.realname),
            host: rest.host,
            nick: rest.nick,
        })
    }
}

impl Settings {
    pub(super) fn check(config: Config) -> Result<Self, ConfigError> {
        let invalid = |name, reason: &str| ConfigError::Invalid { name, reason: reason.to_owned() };
        let one_line = |text: &str| !text.chars().any(char::is_control);
        if !is_nick(&config.nick) {
            return Err(invalid("nick", "a nick is one word that begins with a letter, as `gatekeeper`"));
        }
        let user = config.user.unwrap_or_else(|| config.nick.clone());
        if !one_line(&user) || user.contains([' ', '@', '!', ':']) {
            return Err(invalid("user", "a user name is one plain word"));
        }
        if !one_line(&config.realname) {
            return Err(invalid("realname", "one line is expected"));
        }
        for (name, secret) in [("password", &config.password), ("sasl_password", &config.sasl_password)] {
            if secret.as_ref().is_some_and(|secret| !one_line(secret.reveal())) {
                return Err(invalid(name, "one line is expected"));
            }
        }
        let sasl = match (config.sasl_user, config.sasl_password) {
            (Some(user), Some(password)) if one_line(&user) => Some((user, password)),
            (Some(_), Some(_)) => return Err(invalid("sasl_user", "one line is expected")),
            (Some(_), None) => {
                return Err(ConfigError::Missing { name: "sasl_password", doc: "it goes with `sasl_user`" });
            }
            (None, Some(_)) => {
                return Err(ConfigError::Missing { name: "sasl_user", doc: "it goes with `sasl_password`" });
            }
            (None, None) => None,
        };
        let tls = match (config.tls, config.ca_file) {
            (true, ca_file) => Some(connect::tls(&config.host, ca_file.as_deref())?),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(invalid("ca_file", "it is of no use without `tls`; leave one of them out"));
            }
        };
        Ok(Self {
            address: Address {
                port: config.port.unwrap_or(if config.tls { 6697 } else { 6667 }),
                host: config.host,
                tls,
            },
            nick: config.nick,
            user,
            realname: config.realname,
            password: config.password,
            sasl,
            identity: config.identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("host", "irc.example.org").with("nick", "botty");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
