//! What the WhatsApp adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the WhatsApp adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
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

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    PHONE_NUMBER_ID,
    ACCESS_TOKEN,
    APP_SECRET,
    VERIFY_TOKEN,
    OptionSpec::optional("api_base", OptionKind::String, "Where the Graph API is, with its version.")
        .or(API_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const PHONE_NUMBER_ID: OptionSpec = OptionSpec::required(
    "phone_number_id",
    OptionKind::String,
    "The id of your number, as the app's page WhatsApp, API Setup shows it: digits, but not the telephone number.",
);

const ACCESS_TOKEN: OptionSpec = OptionSpec::required(
    "access_token",
    OptionKind::Secret,
    "A token of a system user's with the permission `whatsapp_business_messaging`; the one of API Setup ends after a day.",
);

const APP_SECRET: OptionSpec = OptionSpec::required(
    "app_secret",
    OptionKind::Secret,
    "The app's secret (App settings, Basic), with which Meta signs its calls.",
);

const VERIFY_TOKEN: OptionSpec = OptionSpec::required(
    "verify_token",
    OptionKind::Secret,
    "Make it up, and give it to Meta with the address of the web hook.",
);

const API_BASE: &str = "https://graph.facebook.com/v25.0";

impl Config {
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

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
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

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new()
            .with("phone_number_id", "1")
            .with("access_token", "t")
            .with("app_secret", "s")
            .with("verify_token", "v");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
