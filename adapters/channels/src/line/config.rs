//! What the LINE adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the LINE adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// What LINE signs its calls with.
    pub channel_secret: Secret,
    /// What we show to LINE.
    pub channel_access_token: Secret,
    /// Where the Messaging API is: an `http` or `https` URL without a query.
    pub api_base: String,
    /// Where files are had from; another server than the rest.
    pub data_base: String,
    /// The URL of a proxy for everything that goes to either.
    pub proxy: Option<Secret>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    SECRET,
    TOKEN,
    OptionSpec::optional("api_base", OptionKind::String, "Where the Messaging API is.").or(API_BASE),
    OptionSpec::optional("data_base", OptionKind::String, "Where the files are that people send.")
        .or(DATA_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const SECRET: OptionSpec = OptionSpec::required(
    "channel_secret",
    OptionKind::Secret,
    "Proves that a web hook's caller is LINE; the console shows it under `Basic settings`.",
);

const TOKEN: OptionSpec = OptionSpec::required(
    "channel_access_token",
    OptionKind::Secret,
    "Proves to LINE that we are the channel; the console issues it under `Messaging API` (long-lived).",
);

const API_BASE: &str = "https://api.line.me";
const DATA_BASE: &str = "https://api-data.line.me";

impl Config {
    /// LINE's own servers.
    #[must_use]
    pub fn new(channel_secret: Secret, channel_access_token: Secret) -> Self {
        let (api_base, data_base) = (API_BASE.to_owned(), DATA_BASE.to_owned());
        Self { channel_secret, channel_access_token, api_base, data_base, proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let secret = options.secret("channel_secret")?.ok_or_else(|| SECRET.missing())?;
        let token = options.secret("channel_access_token")?.ok_or_else(|| TOKEN.missing())?;
        let rest = Self::new(secret, token);
        Ok(Self {
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            data_base: options.text("data_base")?.unwrap_or(rest.data_base),
            proxy: options.secret("proxy")?,
            channel_secret: rest.channel_secret,
            channel_access_token: rest.channel_access_token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("channel_secret", "s").with("channel_access_token", "t");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
