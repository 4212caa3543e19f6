//! What the Slack adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Slack adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's token, `xoxb-…`: for calls.
    pub bot_token: Secret,
    /// How events get from Slack to us.
    pub mode: Mode,
    /// The app's token, `xapp-…`: for sockets; needed with [`Mode::Socket`].
    pub app_token: Option<Secret>,
    /// The app's signing secret; needed with [`Mode::Webhook`].
    pub signing_secret: Option<Secret>,
    /// Where the Web API is: an `http` or `https` URL without a query.
    pub api_base: String,
    /// The URL of a proxy for everything that goes to Slack, sockets too.
    pub proxy: Option<Secret>,
}

/// How events get from Slack to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// We open WebSockets (Socket Mode).
    Socket,
    /// Slack calls our web server (Events API).
    Webhook,
}

const MODES: [(&str, Mode); 2] = [("socket", Mode::Socket), ("webhook", Mode::Webhook)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    BOT_TOKEN,
    APP_TOKEN,
    OptionSpec::optional(
        "mode",
        OptionKind::OneOf(&["socket", "webhook"]),
        "How events come: `socket` opens a connection to Slack (Socket Mode), `webhook` has Slack call the web server at \
         `public_url`.",
    )
    .or("socket"),
    SIGNING_SECRET,
    OptionSpec::optional("api_base", OptionKind::String, "Where Slack's Web API is.").or(API_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes to Slack, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const BOT_TOKEN: OptionSpec = OptionSpec::required(
    "bot_token",
    OptionKind::Secret,
    "The bot's token, from \"OAuth & Permissions\" of the app: `xoxb-…`.",
);

const APP_TOKEN: OptionSpec = OptionSpec::optional(
    "app_token",
    OptionKind::Secret,
    "The app's token with the scope connections:write, from its \"Basic Information\": `xapp-…`; needed with `mode = \
     \"socket\"`.",
)
.by_default();

const SIGNING_SECRET: OptionSpec = OptionSpec::optional(
    "signing_secret",
    OptionKind::Secret,
    "Proves that a web hook's caller is Slack, from \"Basic Information\" of the app; needed with `mode = \"webhook\"`.",
);

const API_BASE: &str = "https://slack.com/api";

impl Config {
    /// Socket Mode with Slack's own servers.
    #[must_use]
    pub fn new(bot_token: Secret, app_token: Secret) -> Self {
        Self {
            bot_token,
            mode: Mode::Socket,
            app_token: Some(app_token),
            signing_secret: None,
            api_base: API_BASE.to_owned(),
            proxy: None,
        }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        Ok(Self {
            bot_token: options.secret("bot_token")?.ok_or_else(|| BOT_TOKEN.missing())?,
            mode: options.word("mode", &MODES)?.unwrap_or(Mode::Socket),
            app_token: options.secret("app_token")?,
            signing_secret: options.secret("signing_secret")?,
            api_base: options.text("api_base")?.unwrap_or_else(|| API_BASE.to_owned()),
            proxy: options.secret("proxy")?,
        })
    }

    /// Whether each token is of its kind, and there is the one that the mode needs. Slack's own answer to the wrong one
    /// does not say which it would take.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        is_token("bot_token", &self.bot_token, "xoxb-")?;
        match (self.mode, &self.app_token, &self.signing_secret) {
            (Mode::Socket, Some(app_token), _) => is_token("app_token", app_token, "xapp-"),
            (Mode::Socket, None, _) => Err(APP_TOKEN.missing()),
            (Mode::Webhook, _, Some(_)) => Ok(()),
            (Mode::Webhook, _, None) => Err(SIGNING_SECRET.missing()),
        }
    }
}

fn is_token(name: &'static str, token: &Secret, begins: &str) -> Result<(), ConfigError> {
    let rest = token.reveal().strip_prefix(begins).unwrap_or_default();
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ConfigError::Invalid { name, reason: format!("a token that begins with `{begins}` is expected") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new().with("bot_token", "xoxb-1"), Config::from_options);
    }

    #[test]
    fn each_mode_needs_its_secret_and_each_token_is_of_its_kind() {
        let refusal = |change: fn(&mut Config)| {
            let mut config = Config::new(Secret::new("xoxb-s3cret"), Secret::new("xapp-s3cret"));
            change(&mut config);
            config.check().err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(refusal(|_| ()), "");
        let hook = |config: &mut Config| (config.mode, config.app_token) = (Mode::Webhook, None);
        assert!(refusal(hook).starts_with("`signing_secret` is missing"));
        let hook = |config: &mut Config| {
            (config.mode, config.app_token) = (Mode::Webhook, None);
            config.signing_secret = Some(Secret::new("s3cret"));
        };
        assert_eq!(refusal(hook), "");
        assert!(refusal(|config| config.app_token = None).starts_with("`app_token` is missing"));
        let swapped = |config: &mut Config| config.app_token = Some(config.bot_token.clone());
        assert_eq!(refusal(swapped), "`app_token`: a token that begins with `xapp-` is expected");
        for wrong in [
            |config: &mut Config| config.bot_token = Secret::new("xapp-s3cret"),
            |config: &mut Config| config.bot_token = Secret::new("xoxb-"),
            |config: &mut Config| config.bot_token = Secret::new("xoxb-s3cret\n"),
        ] {
            assert_eq!(refusal(wrong), "`bot_token`: a token that begins with `xoxb-` is expected");
        }
    }
}
