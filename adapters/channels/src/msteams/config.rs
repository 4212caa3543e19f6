//! What the Teams adapter is told.

use std::time::Duration;

use dmgate::World;

use crate::api::Api;
use crate::jwt::keys::{KeySet, Published};
use crate::jwt::{Rules, Verifier};
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Teams adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's application (client) id.
    pub app_id: String,
    /// A client secret of that application.
    pub app_password: Secret,
    /// The directory (tenant) id that the bot and its people belong to.
    pub tenant_id: String,
    /// Where conversations may be beside Microsoft's own hosts.
    pub service_urls: Vec<String>,
    /// Where the keys are published that calls are signed with.
    pub openid_base: String,
    /// Who signs them.
    pub issuer: String,
    /// Where our own tokens are had.
    pub login_base: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    APP_ID,
    APP_PASSWORD,
    TENANT_ID,
    OptionSpec::optional(
        "service_urls",
        OptionKind::List,
        "Addresses of conversations beside those of Microsoft's clouds; a token of the bot's is shown to them.",
    ),
    OptionSpec::optional(
        "openid_base",
        OptionKind::String,
        "Where the keys are published that Teams' calls are signed with; another cloud has another place.",
    )
    .or(OPENID_BASE),
    OptionSpec::optional(
        "issuer",
        OptionKind::String,
        "Who signs Teams' calls, and whom our tokens are for; another cloud has another name.",
    )
    .or(ISSUER),
    OptionSpec::optional(
        "login_base",
        OptionKind::String,
        "Where the bot's own tokens are had; another cloud has another place.",
    )
    .or(LOGIN_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const APP_ID: OptionSpec = OptionSpec::required(
    "app_id",
    OptionKind::String,
    "The bot's application (client) id, as Azure shows it: calls must be for it.",
);

const APP_PASSWORD: OptionSpec =
    OptionSpec::required("app_password", OptionKind::Secret, "A client secret of that application.");

const TENANT_ID: OptionSpec = OptionSpec::required(
    "tenant_id",
    OptionKind::String,
    "The directory (tenant) id of the bot and its people, not its domain; people of another one are not heard.",
);

const OPENID_BASE: &str = "https://login.botframework.com/v1";
const ISSUER: &str = "https://api.botframework.com";
const LOGIN_BASE: &str = "https://login.microsoftonline.com";

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How long the keys may take: somebody may be waiting.
const KEYS_PATIENCE: Duration = Duration::from_secs(5);

impl Config {
    /// A bot in Microsoft's public cloud.
    #[must_use]
    pub fn new(app_id: impl Into<String>, app_password: Secret, tenant_id: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            app_password,
            tenant_id: tenant_id.into(),
            service_urls: Vec::new(),
            openid_base: OPENID_BASE.to_owned(),
            issuer: ISSUER.to_owned(),
            login_base: LOGIN_BASE.to_owned(),
            proxy: None,
        }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let text = |spec: OptionSpec| options.text(spec.name)?.ok_or_else(|| spec.missing());
        let password = options.secret("app_password")?.ok_or_else(|| APP_PASSWORD.missing())?;
        let rest = Self::new(text(APP_ID)?, password, text(TENANT_ID)?);
        Ok(Self {
            service_urls: options.list("service_urls")?.unwrap_or(rest.service_urls),
            openid_base: options.text("openid_base")?.unwrap_or(rest.openid_base),
            issuer: options.text("issuer")?.unwrap_or(rest.issuer),
            login_base: options.text("login_base")?.unwrap_or(rest.login_base),
            proxy: options.secret("proxy")?,
            ..rest
        })
    }

    /// Both ids become parts of addresses, and are compared with what Teams says.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_common = ["common", "organizations", "consumers"].contains(&self.tenant_id.as_str());
        let reason = "an id like `a1b2c3d4-e5f6-7890-abcd-ef1234567890` is expected".to_owned();
        match (is_id(&self.app_id), is_id(&self.tenant_id) && !is_common) {
            (true, true) => Ok(()),
            (false, _) => Err(ConfigError::Invalid { name: "app_id", reason }),
            (true, false) => Err(ConfigError::Invalid { name: "tenant_id", reason }),
        }
    }

    /// What looks at the tokens of Teams' calls.
    pub(super) fn verifier(&self, world: &World) -> Result<Verifier, ConfigError> {
        let invalid = |reason| ConfigError::Invalid { name: "openid_base", reason };
        let proxy = self.proxy.as_ref();
        let api = Api::new("the Bot Framework", &self.openid_base, proxy, Vec::new(), KEYS_PATIENCE);
        let published = Published::Metadata(".well-known/openidconfiguration");
        let keys = KeySet::new(api.map_err(invalid)?, published, world.clone());
        let rules =
            Rules { issuers: vec![self.issuer.clone()], audience: self.app_id.clone(), begins: "nbf" };
        Ok(Verifier::new(keys, rules, world.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("app_id", "1-2").with("app_password", "p").with("tenant_id", "3-4");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
