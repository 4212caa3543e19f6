//! What the Discord adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Discord adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's token: three words with dots between them.
    pub token: Secret,
    /// Where the REST API is: an `http` or `https` URL without a query. The gateway is where it says.
    pub api_base: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    TOKEN,
    OptionSpec::optional(
        "api_base",
        OptionKind::String,
        "Where the REST API is; it says where the gateway is.",
    )
    .or(API_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const TOKEN: OptionSpec = OptionSpec::required(
    "token",
    OptionKind::Secret,
    "The bot's token, as the Developer Portal shows it under Bot, Reset Token.",
);

pub(super) const API_BASE: &str = "https://discord.com/api/v10";

/// The longest token: it must fit into what may be sent to the gateway.
const TOKEN_LIMIT: usize = 256;

impl Config {
    /// A bot on Discord's own servers.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self { token, api_base: API_BASE.to_owned(), proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new(options.secret("token")?.ok_or_else(|| TOKEN.missing())?);
        Ok(Self {
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            proxy: options.secret("proxy")?,
            token: rest.token,
        })
    }
}

/// The head of a bot's token, which is the bot's id in other letters. A client secret or an id has no dots: those are
/// what people take by mistake.
pub(super) fn bot_of(token: &Secret) -> Result<String, ConfigError> {
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-=".contains(&byte))
    };
    let parts: Vec<&str> = token.reveal().split('.').collect();
    match parts[..] {
        [head, ..] if parts.len() == 3 && parts.iter().all(|part| is_word(part)) && token.reveal().len() <= TOKEN_LIMIT => {
            Ok(head.to_owned())
        }
        _ => Err(ConfigError::Invalid {
            name: "token",
            reason: "this is no bot token; the Developer Portal gives one under Bot, Reset Token: three words with dots \
                     between them"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new().with("token", "MTIz.a.b"), Config::from_options);
    }

    #[test]
    fn what_is_no_bot_token_is_refused_and_not_shown() {
        assert_eq!(bot_of(&Secret::new("MTk4.Cl2FMQ.Zn-Cjm_1")).unwrap(), "MTk4");
        let long = format!("a.b.{}", "c".repeat(TOKEN_LIMIT));
        for wrong in ["", "client-secret", "a.b", "a..c", "a.b.c.d", "Bot a.b.c", "a.b.c\n", "a.b.ü", &long]
        {
            let error = bot_of(&Secret::new(wrong)).unwrap_err().to_string();
            assert!(error.starts_with("`token`: this is no bot token"), "{error}");
            assert!(wrong.len() < 6 || !error.contains(wrong), "{error}");
        }
    }
}
