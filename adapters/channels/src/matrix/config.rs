//! What the Matrix adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Matrix adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the homeserver's client API is: an `http` or `https` URL without a query.
    pub homeserver: String,
    /// The token of a login of the bot's account.
    pub access_token: Secret,
    /// Which invites are accepted.
    pub auto_join: AutoJoin,
    /// The URL of a proxy for everything that goes to the homeserver.
    pub proxy: Option<Secret>,
}

/// Which invites are accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AutoJoin {
    /// Those to a direct chat.
    Direct,
    /// None: the owner joins rooms with another client.
    Never,
}

const AUTO_JOIN: [(&str, AutoJoin); 2] = [("direct", AutoJoin::Direct), ("never", AutoJoin::Never)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    HOMESERVER,
    ACCESS_TOKEN,
    OptionSpec::optional(
        "auto_join",
        OptionKind::OneOf(&["direct", "never"]),
        "Which invites are accepted: those to a direct chat, or none, and you join rooms with another client.",
    )
    .or("direct"),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const HOMESERVER: OptionSpec = OptionSpec::required(
    "homeserver",
    OptionKind::String,
    "Where the homeserver's client API is, as `https://matrix.example.org`.",
);

const ACCESS_TOKEN: OptionSpec = OptionSpec::required(
    "access_token",
    OptionKind::Secret,
    "The token of a login of the bot's account, used by nothing else.",
);

impl Config {
    /// A homeserver and a login there.
    #[must_use]
    pub fn new(homeserver: impl Into<String>, access_token: Secret) -> Self {
        Self { homeserver: homeserver.into(), access_token, auto_join: AutoJoin::Direct, proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let homeserver = options.text("homeserver")?.ok_or_else(|| HOMESERVER.missing())?;
        let access_token = options.secret("access_token")?.ok_or_else(|| ACCESS_TOKEN.missing())?;
        let rest = Self::new(homeserver, access_token);
        Ok(Self {
            auto_join: options.word("auto_join", &AUTO_JOIN)?.unwrap_or(rest.auto_join),
            proxy: options.secret("proxy")?,
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
        let needed =
            Options::new().with("homeserver", "https://matrix.example.org").with("access_token", "t");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
