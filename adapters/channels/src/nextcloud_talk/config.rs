//! What the Nextcloud Talk adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Nextcloud Talk adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the Nextcloud server is: an `http` or `https` URL without a query.
    pub base_url: String,
    /// The secret that the bot was installed with, 40 to 128 characters.
    pub bot_secret: Secret,
    /// As whom the server is asked which conversations are one-to-one; without one, none is.
    pub login: Option<Login>,
    /// What the server calls itself, if that is not `base_url`.
    pub backend: Option<String>,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// A user of the server's.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// An app password of the user's.
    pub password: Secret,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    BASE_URL,
    BOT_SECRET,
    API_USER,
    API_PASSWORD,
    OptionSpec::optional(
        "backend",
        OptionKind::String,
        "What the server calls itself (`overwrite.cli.url` of its configuration), if that is not `base_url`.",
    ),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const BASE_URL: OptionSpec = OptionSpec::required(
    "base_url",
    OptionKind::String,
    "Where the Nextcloud server is, as `https://cloud.example.org`.",
);

const BOT_SECRET: OptionSpec = OptionSpec::required(
    "bot_secret",
    OptionKind::Secret,
    "The secret of `occ talk:bot:install`, 40 to 128 characters; both sides sign with it.",
);

const API_USER: OptionSpec = OptionSpec::optional(
    "api_user",
    OptionKind::String,
    "A user of the server whom people write to and who has the bot in these conversations. As this user we ask which \
     conversations are one-to-one; without one none counts as such, and everybody is ignored.",
);

const API_PASSWORD: OptionSpec = OptionSpec::optional(
    "api_password",
    OptionKind::Secret,
    "An app password of `api_user` (Settings, Security, Devices & sessions).",
);

impl Config {
    /// A bot that can't tell which conversations are one-to-one, and thus serves nobody.
    #[must_use]
    pub fn new(base_url: String, bot_secret: Secret) -> Self {
        Self { base_url, bot_secret, login: None, backend: None, proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let base_url = options.text("base_url")?.ok_or_else(|| BASE_URL.missing())?;
        let bot_secret = options.secret("bot_secret")?.ok_or_else(|| BOT_SECRET.missing())?;
        let login = match (options.text("api_user")?, options.secret("api_password")?) {
            (Some(user), Some(password)) => Some(Login { user, password }),
            (None, None) => None,
            (Some(_), None) => return Err(API_PASSWORD.missing()),
            (None, Some(_)) => return Err(API_USER.missing()),
        };
        Ok(Self {
            login,
            backend: options.text("backend")?,
            proxy: options.secret("proxy")?,
            ..Self::new(base_url, bot_secret)
        })
    }

    /// A shorter secret can't be installed, so it is a mistake.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if (40..=128).contains(&self.bot_secret.reveal().len()) {
            return Ok(());
        }
        let reason = "40 to 128 characters are expected, as Nextcloud asks for".to_owned();
        Err(ConfigError::Invalid { name: BOT_SECRET.name, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new()
            .with("base_url", "https://cloud.example.org")
            .with("bot_secret", "x".repeat(40))
            .with("api_user", "assistant")
            .with("api_password", "p");
        check_table(OPTIONS, &needed, Config::from_options);
    }

    #[test]
    fn a_user_has_a_password_and_the_secret_its_length() {
        let options = |length: usize| {
            Options::new()
                .with("base_url", "https://cloud.example.org")
                .with("bot_secret", "x".repeat(length))
        };
        let alone = |name: &str| Config::from_options(&options(40).with(name, "x")).err();
        assert_eq!(alone("api_user"), Some(API_PASSWORD.missing()));
        assert_eq!(alone("api_password"), Some(API_USER.missing()));
        for (length, is_good) in [(39, false), (40, true), (128, true), (129, false)] {
            let config = Config::from_options(&options(length)).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(config.check().is_ok(), is_good, "{length}");
        }
    }
}
