//! What the Feishu adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Feishu adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The app's id, `cli_…`.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: Secret,
    /// How events get from Feishu to us.
    pub mode: Mode,
    /// Feishu or Lark.
    pub domain: Domain,
    /// What events are encrypted and signed with; with [`Mode::Webhook`] this or the verification token is needed.
    pub encrypt_key: Option<Secret>,
    /// What stands in each event.
    pub verification_token: Option<Secret>,
    /// Where the platform is, in place of what the domain says: an `http` or `https` URL without a query.
    pub api_base: Option<String>,
    /// The URL of a proxy for everything that goes there, the connection too.
    pub proxy: Option<Secret>,
}

/// How events get from Feishu to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// We open a connection.
    Socket,
    /// Feishu calls our web server.
    Webhook,
}

/// Whose servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
    /// open.feishu.cn
    Feishu,
    /// open.larksuite.com
    Lark,
}

const MODES: [(&str, Mode); 2] = [("socket", Mode::Socket), ("webhook", Mode::Webhook)];

const DOMAINS: [(&str, Domain); 2] = [("feishu", Domain::Feishu), ("lark", Domain::Lark)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    APP_ID,
    APP_SECRET,
    OptionSpec::optional(
        "domain",
        OptionKind::OneOf(&["feishu", "lark"]),
        "Whose servers: Feishu's (open.feishu.cn) or Lark's (open.larksuite.com).",
    )
    .or("feishu"),
    OptionSpec::optional(
        "mode",
        OptionKind::OneOf(&["socket", "webhook"]),
        "How events come: `socket` opens a connection to Feishu, `webhook` has Feishu call the web server at \
         `public_url`.",
    )
    .or("socket"),
    OptionSpec::optional(
        "encrypt_key",
        OptionKind::Secret,
        "The app's Encrypt Key, with which Feishu encrypts and signs what it sends to a web hook.",
    ),
    VERIFICATION_TOKEN,
    OptionSpec::optional(
        "api_base",
        OptionKind::String,
        "Where the platform is, in place of what `domain` says; for an installation of your own.",
    ),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const APP_ID: OptionSpec =
    OptionSpec::required("app_id", OptionKind::String, "The app's id, from \"Credentials\": `cli_…`.");

const APP_SECRET: OptionSpec =
    OptionSpec::required("app_secret", OptionKind::Secret, "The app's secret, from \"Credentials\".");

const VERIFICATION_TOKEN: OptionSpec = OptionSpec::optional(
    "verification_token",
    OptionKind::Secret,
    "The app's Verification Token, which stands in what Feishu sends to a web hook; this or `encrypt_key` is needed with \
     `mode = \"webhook\"`.",
);

impl Config {
    /// A connection to Feishu's own servers.
    #[must_use]
    pub fn new(app_id: impl Into<String>, app_secret: Secret) -> Self {
        Self {
            app_id: app_id.into(),
            app_secret,
            mode: Mode::Socket,
            domain: Domain::Feishu,
            encrypt_key: None,
            verification_token: None,
            api_base: None,
            proxy: None,
        }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let app_id = options.text("app_id")?.ok_or_else(|| APP_ID.missing())?;
        let rest = Self::new(app_id, options.secret("app_secret")?.ok_or_else(|| APP_SECRET.missing())?);
        Ok(Self {
            mode: options.word("mode", &MODES)?.unwrap_or(rest.mode),
            domain: options.word("domain", &DOMAINS)?.unwrap_or(rest.domain),
            encrypt_key: options.secret("encrypt_key")?,
            verification_token: options.secret("verification_token")?,
            api_base: options.text("api_base")?,
            proxy: options.secret("proxy")?,
            ..rest
        })
    }

    /// Where the platform is.
    pub(super) fn base(&self) -> &str {
        match (&self.api_base, self.domain) {
            (Some(base), _) => base,
            (None, Domain::Feishu) => "https://open.feishu.cn",
            (None, Domain::Lark) => "https://open.larksuite.com",
        }
    }

    /// Whether the id is one, and a web hook has something by which it is proven.
    // INVARIANT I14: without a key and a token nothing would prove who calls, so there is no such web hook.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let rest = self.app_id.strip_prefix("cli_").unwrap_or_default();
        if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let reason = "an app's id is expected, as `cli_a1b2c3d4e5f60708`".to_owned();
            return Err(ConfigError::Invalid { name: "app_id", reason });
        }
        let is_proven = self.encrypt_key.is_some() || self.verification_token.is_some();
        if self.mode == Mode::Webhook && !is_proven {
            return Err(VERIFICATION_TOKEN.missing());
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
        let needed = Options::new().with("app_id", "cli_1").with("app_secret", "s");
        check_table(OPTIONS, &needed, Config::from_options);
    }

    #[test]
    fn i14_a_web_hook_needs_something_by_which_it_is_proven() {
        let refusal = |change: fn(&mut Config)| {
            let mut config = Config::new("cli_a1b2", Secret::new("s3cret"));
            change(&mut config);
            config.check().err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(refusal(|_| ()), "");
        assert!(refusal(|config| config.mode = Mode::Webhook).starts_with("`verification_token` is missing"));
        let with_key = |config: &mut Config| {
            (config.mode, config.encrypt_key) = (Mode::Webhook, Some(Secret::new("k")));
        };
        let with_token = |config: &mut Config| {
            (config.mode, config.verification_token) = (Mode::Webhook, Some(Secret::new("t")));
        };
        assert_eq!((refusal(with_key), refusal(with_token)), (String::new(), String::new()));
        for wrong in ["", "cli_", "a1b2", "cli_a b", "cli_a/../b"] {
            let mut config = Config::new(wrong, Secret::new("s3cret"));
            config.mode = Mode::Socket;
            assert!(config.check().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_domain_has_its_servers_and_an_address_goes_before() {
        let mut config = Config::new("cli_1", Secret::new("s"));
        assert_eq!(config.base(), "https://open.feishu.cn");
        config.domain = Domain::Lark;
        assert_eq!(config.base(), "https://open.larksuite.com");
        config.api_base = Some("http://127.0.0.1:1".to_owned());
        assert_eq!(config.base(), "http://127.0.0.1:1");
    }
}
