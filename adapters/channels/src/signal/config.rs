//! What the Signal adapter is told.

use dmgate::{ChannelId, SenderId};
use reqwest::Url;

use super::api::Daemon;
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};

/// What the Signal adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The account's own number, as `+4917012345678`.
    pub account: String,
    /// Where the daemon listens.
    pub api_base: String,
    /// Whether that may be another machine.
    pub remote: bool,
}

/// The configuration, checked.
pub(super) struct Settings {
    pub(super) own: SenderId,
    pub(super) daemon: Daemon,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    ACCOUNT,
    OptionSpec::optional("api_base", OptionKind::String, "Where `signal-cli daemon --http` listens.").or(API_BASE),
    OptionSpec::optional(
        "remote",
        OptionKind::Bool,
        "Whether that may be another machine: the daemon asks for no password, so whoever reaches it is the account.",
    )
    .or("false"),
];

const ACCOUNT: OptionSpec =
    OptionSpec::required("account", OptionKind::String, "The account's own number, as `+4917012345678`.");

const API_BASE: &str = "http://127.0.0.1:8080";

impl Config {
    /// A daemon on this machine.
    #[must_use]
    pub fn new(account: String) -> Self {
        Self { account, api_base: API_BASE.to_owned(), remote: false }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new(options.text("account")?.ok_or_else(|| ACCOUNT.missing())?);
        Ok(Self {
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            remote: options.bool("remote")?.unwrap_or(rest.remote),
            account: rest.account,
        })
    }
}

impl Settings {
    pub(super) fn check(channel: &ChannelId, config: Config) -> Result<Self, ConfigError> {
        let invalid = |name, reason: &str| ConfigError::Invalid { name, reason: reason.to_owned() };
        let Config { account, api_base, remote } = config;
        let own = SenderId::parse(channel, account.trim()).ok();
        let own = own.filter(|own| own.as_str().starts_with('+'));
        let own =
            own.ok_or_else(|| invalid("account", "a telephone number is expected, as `+4917012345678`"))?;
        if !remote && !is_here(&api_base) {
            return Err(invalid(
                "api_base",
                "it is not this machine, and the daemon asks for no password: whoever reaches it is the account; \
                 `remote = true` if something else keeps others away",
            ));
        }
        let daemon = Daemon::new(&api_base, own.as_str());
        let daemon = daemon.map_err(|reason| ConfigError::Invalid { name: "api_base", reason })?;
        Ok(Self { own, daemon })
    }
}

/// Whether an address is this machine's own; one that is none is judged elsewhere.
fn is_here(address: &str) -> bool {
    let Ok(url) = Url::parse(address.trim()) else { return true };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new().with("account", "+4917012345678"), Config::from_options);
    }

    #[test]
    fn a_daemon_elsewhere_is_the_owners_decision() {
        let channel = ChannelId::parse("signal").unwrap();
        let check = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::new("+49 170 12345678".to_owned());
            change(&mut config);
            Settings::check(&channel, config).map(|settings| settings.own.as_str().to_owned())
        };
        let at = |base: &'static str| move |config: &mut Config| config.api_base = base.to_owned();
        for here in ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:1", "http://127.9.9.9"]
        {
            assert_eq!(check(&at(here)).as_deref(), Ok("+4917012345678"), "{here}");
        }
        for elsewhere in
            ["http://10.0.0.1:8080", "https://signal.example.org", "http://127.0.0.1.example.org"]
        {
            let refused = check(&at(elsewhere)).unwrap_err().to_string();
            assert!(refused.contains("remote = true"), "{refused}");
            let allowed = check(&|config| {
                config.api_base = elsewhere.to_owned();
                config.remote = true;
            });
            assert!(allowed.is_ok());
        }
        for wrong in ["", "no url", "ftp://127.0.0.1"] {
            assert!(check(&at(wrong)).is_err(), "{wrong}");
        }
        for account in ["", "4917012345678", "uuid:5bdc5d0b-0b3e-4c4e-8c4c-0d8d6e1d2f10", "ann"] {
            assert!(check(&|config| config.account = account.to_owned()).is_err(), "{account}");
        }
    }
}
