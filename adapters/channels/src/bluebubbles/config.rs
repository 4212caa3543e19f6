//! What the BlueBubbles adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the BlueBubbles adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the server is: an `http` or `https` URL without a query.
    pub server_url: String,
    /// The server's password.
    pub password: Secret,
    /// What a web hook's caller shows, in the address that we give the server: 16 to 256 of `A-Z a-z 0-9 _ -`.
    pub webhook_secret: Secret,
    /// How the Mac sends.
    pub method: Method,
    /// Whether senders of SMS and RCS count, whose numbers can be made up.
    pub sms: bool,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// How the Mac sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// By AppleScript, as every Mac can.
    AppleScript,
    /// By the server's Private API, which needs a Mac without system integrity protection, and can show that we write.
    PrivateApi,
}

const METHODS: [(&str, Method); 2] =
    [("apple-script", Method::AppleScript), ("private-api", Method::PrivateApi)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    SERVER_URL,
    PASSWORD,
    WEBHOOK_SECRET,
    OptionSpec::optional(
        "method",
        OptionKind::OneOf(&["apple-script", "private-api"]),
        "How the Mac sends: `apple-script` works everywhere, `private-api` needs that to be set up and shows that we write.",
    )
    .or("apple-script"),
    OptionSpec::optional(
        "sms",
        OptionKind::Bool,
        "Whether senders of SMS and RCS may be let in too; their numbers can be made up by others.",
    )
    .or("false"),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const SERVER_URL: OptionSpec = OptionSpec::required(
    "server_url",
    OptionKind::String,
    "Where the BlueBubbles server is, as `http://mac.example.org:1234`.",
);

const PASSWORD: OptionSpec =
    OptionSpec::required("password", OptionKind::Secret, "The server's password, as its app shows it.");

const WEBHOOK_SECRET: OptionSpec = OptionSpec::required(
    "webhook_secret",
    OptionKind::Secret,
    "Proves that a web hook's caller is the server; make it up: 16 to 256 of the characters A-Z a-z 0-9 _ -.",
);

impl Method {
    /// What the server calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::AppleScript => "apple-script",
            Self::PrivateApi => "private-api",
        }
    }
}

impl Config {
    /// A server that sends by AppleScript, for iMessage alone.
    #[must_use]
    pub fn new(server_url: String, password: Secret, webhook_secret: Secret) -> Self {
        Self { server_url, password, webhook_secret, method: Method::AppleScript, sms: false, proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new(
            options.text("server_url")?.ok_or_else(|| SERVER_URL.missing())?,
            options.secret("password")?.ok_or_else(|| PASSWORD.missing())?,
            options.secret("webhook_secret")?.ok_or_else(|| WEBHOOK_SECRET.missing())?,
        );
        Ok(Self {
            method: options.word("method", &METHODS)?.unwrap_or(rest.method),
            sms: options.bool("sms")?.unwrap_or(rest.sms),
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
        let needed = Options::new()
            .with("server_url", "http://mac.example.org:1234")
            .with("password", "p")
            .with("webhook_secret", "w");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
