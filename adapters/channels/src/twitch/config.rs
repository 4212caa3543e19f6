//! What the Twitch adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Twitch adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The id of an application of the owner's.
    pub client_id: String,
    /// The application's secret; a public application has none.
    pub client_secret: Option<Secret>,
    /// A token that is renewed with; without it and `token` the owner logs in.
    pub refresh_token: Option<Secret>,
    /// A token that is used as long as it lasts.
    pub token: Option<Secret>,
    /// How events get from Twitch to us.
    pub mode: Mode,
    /// What web hooks are signed with, 10 to 100 ASCII characters; needed with [`Mode::Webhook`].
    pub webhook_secret: Option<Secret>,
    /// Where the API is.
    pub api_base: String,
    /// Where tokens are had.
    pub auth_base: String,
    /// Where EventSub is.
    pub socket_url: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// How events get from Twitch to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Over a WebSocket that we open.
    Socket,
    /// Twitch calls our web server.
    Webhook,
}

const MODES: [(&str, Mode); 2] = [("socket", Mode::Socket), ("webhook", Mode::Webhook)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    CLIENT_ID,
    OptionSpec::optional(
        "client_secret",
        OptionKind::Secret,
        "The application's secret, if it is a confidential one; needed with `mode = \"webhook\"`.",
    ),
    OptionSpec::optional(
        "refresh_token",
        OptionKind::Secret,
        "Renews the user's token; without it and `token`, log in with `dmgate channels login twitch`.",
    ),
    OptionSpec::optional(
        "token",
        OptionKind::Secret,
        "A user access token with the scope user:manage:whispers, used as long as it lasts.",
    ),
    OptionSpec::optional(
        "mode",
        OptionKind::OneOf(&["socket", "webhook"]),
        "How events come: `socket` opens a connection, `webhook` has Twitch call the web server at `public_url`.",
    )
    .or("socket"),
    OptionSpec::optional(
        "webhook_secret",
        OptionKind::Secret,
        "Signs web hooks; 10 to 100 ASCII characters that you make up, needed with `mode = \"webhook\"`.",
    ),
    OptionSpec::optional("api_base", OptionKind::String, "Where the API is.").or(API_BASE),
    OptionSpec::optional("auth_base", OptionKind::String, "Where tokens are had.").or(AUTH_BASE),
    OptionSpec::optional("socket_url", OptionKind::String, "Where EventSub's WebSocket is.").or(SOCKET_URL),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const CLIENT_ID: OptionSpec = OptionSpec::required(
    "client_id",
    OptionKind::String,
    "The id of an application of yours, as the Twitch developer console shows it.",
);

const API_BASE: &str = "https://api.twitch.tv/helix";
const AUTH_BASE: &str = "https://id.twitch.tv/oauth2";
const SOCKET_URL: &str = "wss://eventsub.wss.twitch.tv/ws";

impl Config {
    /// A WebSocket to Twitch's own servers, for whoever logs in.
    #[must_use]
    pub fn new(client_id: String) -> Self {
        Self {
            client_id,
            client_secret: None,
            refresh_token: None,
            token: None,
            mode: Mode::Socket,
            webhook_secret: None,
            api_base: API_BASE.to_owned(),
            auth_base: AUTH_BASE.to_owned(),
            socket_url: SOCKET_URL.to_owned(),
            proxy: None,
        }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new(options.text("client_id")?.ok_or_else(|| CLIENT_ID.missing())?);
        Ok(Self {
            client_secret: options.secret("client_secret")?,
            refresh_token: options.secret("refresh_token")?,
            token: options.secret("token")?,
            mode: options.word("mode", &MODES)?.unwrap_or(rest.mode),
            webhook_secret: options.secret("webhook_secret")?,
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            auth_base: options.text("auth_base")?.unwrap_or(rest.auth_base),
            socket_url: options.text("socket_url")?.unwrap_or(rest.socket_url),
            proxy: options.secret("proxy")?,
            client_id: rest.client_id,
        })
    }

    /// Whether what is given fits together, and into headers.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let invalid = |name, reason: &str| Err(ConfigError::Invalid { name, reason: reason.to_owned() });
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_word(&self.client_id) {
            return invalid("client_id", "letters and digits are expected; the developer console shows it");
        }
        if self.token.is_some() && self.refresh_token.is_some() {
            return invalid("token", "leave it out, or `refresh_token`: only one of them is used");
        }
        for (name, secret) in [("token", &self.token), ("refresh_token", &self.refresh_token)] {
            if secret.as_ref().is_some_and(|secret| !is_word(secret.reveal())) {
                return invalid(name, "letters and digits are expected, without `oauth:` in front");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new().with("client_id", "abc"), Config::from_options);
    }

    #[test]
    fn what_does_not_fit_together_is_refused_and_not_shown() {
        let refusal = |change: fn(&mut Config)| {
            let mut config = Config::new("abc".to_owned());
            change(&mut config);
            config.check().map_err(|error| error.to_string()).err().unwrap_or_default()
        };
        assert_eq!(refusal(|_| ()), "");
        assert!(refusal(|config| config.client_id = "a b".to_owned()).starts_with("`client_id`"));
        let both = refusal(|config| {
            (config.token, config.refresh_token) = (Some(Secret::new("s3cret")), Some(Secret::new("s3cret")));
        });
        assert!(both.starts_with("`token`") && !both.contains("s3cret"), "{both}");
        let prefixed = refusal(|config| config.token = Some(Secret::new("oauth:s3cret")));
        assert!(prefixed.starts_with("`token`") && !prefixed.contains("s3cret"), "{prefixed}");
    }
}
