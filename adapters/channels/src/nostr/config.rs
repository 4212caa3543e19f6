//! What the Nostr adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Nostr adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's secret key: `nsec1…`, or 64 hex digits.
    pub secret_key: Secret,
    /// Where people write to it: `wss` or `ws` URLs.
    pub relays: Vec<String>,
    /// Whether the relays are published as its inbox (kind 10050).
    pub announce: bool,
    /// Whether the relays that people name as their inbox may be in a private network.
    pub private_relays: bool,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    SECRET_KEY,
    RELAYS,
    OptionSpec::optional(
        "announce",
        OptionKind::Bool,
        "Publishes `relays` as the bot's inbox (kind 10050), in place of what was published before: without it many \
         programs don't know where to write.",
    )
    .or("true"),
    OptionSpec::optional(
        "private_relays",
        OptionKind::Bool,
        "Whether answers may go to relays in private networks, if people name such as their inbox.",
    )
    .or("false"),
];

const SECRET_KEY: OptionSpec = OptionSpec::required(
    "secret_key",
    OptionKind::Secret,
    "The bot's secret key, as `nsec1…` or 64 hex digits; a key of its own.",
);

const RELAYS: OptionSpec = OptionSpec::required(
    "relays",
    OptionKind::List,
    "Where people write to it: the addresses of relays, as `wss://relay.example.org`; two or three.",
);

impl Config {
    /// A key and its relays.
    #[must_use]
    pub fn new(secret_key: Secret, relays: Vec<String>) -> Self {
        Self { secret_key, relays, announce: true, private_relays: false }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let secret_key = options.secret("secret_key")?.ok_or_else(|| SECRET_KEY.missing())?;
        let relays = options.list("relays")?.ok_or_else(|| RELAYS.missing())?;
        let rest = Self::new(secret_key, relays);
        Ok(Self {
            announce: options.bool("announce")?.unwrap_or(rest.announce),
            private_relays: options.bool("private_relays")?.unwrap_or(rest.private_relays),
            ..rest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("secret_key", "nsec1").with("relays", "wss://relay.example.org");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
