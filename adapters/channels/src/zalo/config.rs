//! What the Zalo adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Zalo adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's token: a number, a colon, a word.
    pub token: Secret,
    /// How events get from Zalo to us.
    pub mode: Mode,
    /// What a web hook's caller shows, 8 to 256 printable ASCII characters without blanks; needed with
    /// [`Mode::Webhook`].
    pub webhook_secret: Option<Secret>,
    /// Where the Bot API is: an `http` or `https` URL without a query.
    pub api_base: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// How events get from Zalo to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// We ask.
    Poll,
    /// Zalo calls our web server.
    Webhook,
}

const MODES: [(&str, Mode); 2] = [("poll", Mode::Poll), ("webhook", Mode::Webhook)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    TOKEN,
    OptionSpec::optional(
        "mode",
        OptionKind::OneOf(&["poll", "webhook"]),
        "How events come: `poll` asks Zalo, `webhook` has Zalo call the web server at `public_url`.",
    )
    .or("poll"),
    OptionSpec::optional(
        "webhook_secret",
        OptionKind::Secret,
        "Proves that a web hook's caller is Zalo; 8 to 256 letters, digits and signs, needed with \
         `mode = \"webhook\"`.",
    ),
    OptionSpec::optional("api_base", OptionKind::String, "Where the Bot API is.").or(API_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const TOKEN: OptionSpec = OptionSpec::required(
    "token",
    OptionKind::Secret,
    "The bot's token, as Zalo Bot Creator gives it: `123456789:abcDEF…`.",
);

const API_BASE: &str = "https://bot-api.zaloplatforms.com";

impl Config {
    /// A long poll of Zalo's own servers.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self { token, mode: Mode::Poll, webhook_secret: None, api_base: API_BASE.to_owned(), proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new(options.secret("token")?.ok_or_else(|| TOKEN.missing())?);
        Ok(Self {
            mode: options.word("mode", &MODES)?.unwrap_or(rest.mode),
            webhook_secret: options.secret("webhook_secret")?,
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            proxy: options.secret("proxy")?,
            token: rest.token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new().with("token", "111:t"), Config::from_options);
    }
}
