//! What the WhatsApp adapter is told.

use crate::bridge;
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the WhatsApp adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Config {
    /// A number of a business, at Meta's Cloud API.
    Cloud(Cloud),
    /// An account of a person's, by a bridge to WhatsApp Web.
    Web(bridge::Config),
}

/// What Meta's Cloud API needs.
#[derive(Clone, PartialEq, Eq)]
pub struct Cloud {
    /// The id of the business's number: a number that Meta gave it, not the telephone number.
    pub phone_number_id: String,
    /// A token of a system user's with the permission `whatsapp_business_messaging`.
    pub access_token: Secret,
    /// The app's secret, with which Meta signs.
    pub app_secret: Secret,
    /// What Meta shows once, before it calls: made up by the owner.
    pub verify_token: Secret,
    /// Where the Graph API is, with its version: an `http` or `https` URL without a query.
    pub api_base: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// How WhatsApp is reached.
#[derive(Clone, Copy)]
enum Mode {
    Cloud,
    Web,
}

const MODES: [(&str, Mode); 2] = [("cloud", Mode::Cloud), ("web", Mode::Web)];

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "mode",
        OptionKind::OneOf(&["cloud", "web"]),
        "How WhatsApp is reached: `cloud` is a number of a business at Meta's Cloud API, `web` an account of a person's by a bridge.",
    )
    .or("cloud"),
    PHONE_NUMBER_ID,
    ACCESS_TOKEN,
    APP_SECRET,
    VERIFY_TOKEN,
    OptionSpec::optional("api_base", OptionKind::String, "Where the Graph API is, with its version.").or(API_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
    bridge::COMMAND,
    bridge::URL,
    bridge::TOKEN,
];

const PHONE_NUMBER_ID: OptionSpec = OptionSpec::optional(
    "phone_number_id",
    OptionKind::String,
    "The id of your number, as the app's page WhatsApp, API Setup shows it: digits, but not the telephone number; needed with \
     `cloud`.",
)
.by_default();

const ACCESS_TOKEN: OptionSpec = OptionSpec::optional(
    "access_token",
    OptionKind::Secret,
    "A token of a system user's with the permission `whatsapp_business_messaging`; the one of API Setup ends after a day; \
     needed with `cloud`.",
)
.by_default();

const APP_SECRET: OptionSpec = OptionSpec::optional(
    "app_secret",
    OptionKind::Secret,
    "The app's secret (App settings, Basic), with which Meta signs its calls; needed with `cloud`.",
)
.by_default();

const VERIFY_TOKEN: OptionSpec = OptionSpec::optional(
    "verify_token",
    OptionKind::Secret,
    "Make it up, and give it to Meta with the address of the web hook; needed with `cloud`.",
)
.by_default();

const API_BASE: &str = "https://graph.facebook.com/v25.0";

impl Config {
    /// What is given.
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let bridge = bridge::Config::from_options(options)?;
        match options.word("mode", &MODES)?.unwrap_or(Mode::Cloud) {
            Mode::Web => Ok(Self::Web(bridge)),
            Mode::Cloud => Ok(Self::Cloud(Cloud::from_options(options)?)),
        }
    }
}

impl Cloud {
    /// A number on Meta's own servers.
    #[must_use]
    pub fn new(
        phone_number_id: String,
        access_token: Secret,
        app_secret: Secret,
        verify_token: Secret,
    ) -> Self {
        let api_base = API_BASE.to_owned();
        Self { phone_number_id, access_token, app_secret, verify_token, api_base, proxy: None }
    }

    fn from_options(options: &Options) -> Result<Self, ConfigError> {
        let rest = Self::new(
            options.text("phone_number_id")?.ok_or_else(|| PHONE_NUMBER_ID.missing())?,
            options.secret("access_token")?.ok_or_else(|| ACCESS_TOKEN.missing())?,
            options.secret("app_secret")?.ok_or_else(|| APP_SECRET.missing())?,
            options.secret("verify_token")?.ok_or_else(|| VERIFY_TOKEN.missing())?,
        );
        Ok(Self {
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            proxy: options.secret("proxy")?,
            ..rest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    fn cloud() -> Options {
        Options::new()
            .with("phone_number_id", "1")
            .with("access_token", "t")
            .with("app_secret", "s")
            .with("verify_token", "v")
    }

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &cloud(), Config::from_options);
    }

    #[test]
    fn each_mode_needs_its_own() {
        let missing = Config::from_options(&Options::new().with("mode", "cloud")).err();
        assert_eq!(missing, Some(PHONE_NUMBER_ID.missing()));
        let bridge = vec!["node".to_owned(), "whatsapp.mjs".to_owned()];
        let web = Options::new().with("mode", "web").with("bridge", bridge.clone());
        let is_it = |config| matches!(config, Config::Web(to) if to.command == Some(bridge));
        assert!(Config::from_options(&web).is_ok_and(is_it));
        assert!(matches!(Config::from_options(&cloud()), Ok(Config::Cloud(_))));
    }
}
