//! What the Google Chat adapter is told.

use std::time::Duration;

use dmgate::World;

use crate::api::Api;
use crate::jwt::keys::{KeySet, Published};
use crate::jwt::{Rules, Verifier};
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Google Chat adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The JSON key of the service account that texts are sent with.
    pub service_account: Secret,
    /// The *authentication audience* of the app: the number of its project, or for an add-on a URL; our own address where
    /// it is left out.
    pub audience: Option<String>,
    /// Who calls, where the app is a Workspace add-on: the service account of that add-on.
    pub addon_identity: Option<String>,
    /// Where the Chat API is.
    pub api_base: String,
    /// Where Google publishes its keys.
    pub certs_base: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    SERVICE_ACCOUNT,
    AUDIENCE,
    OptionSpec::optional(
        "addon_identity",
        OptionKind::String,
        "For an app that is a Workspace add-on: its service account, as \
         `service-123456789012@gcp-sa-gsuiteaddons.iam.gserviceaccount.com`; nobody else is heard then.",
    ),
    OptionSpec::optional("api_base", OptionKind::String, "Where the Chat API is.").or(API_BASE),
    OptionSpec::optional(
        "certs_base",
        OptionKind::String,
        "Where Google publishes the keys that it signs with.",
    )
    .or(CERTS_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const AUDIENCE: OptionSpec = OptionSpec::optional(
    "audience",
    OptionKind::String,
    "The project number, which is the app's authentication audience. With `addon_identity` it may be left out, or is the \
     add-on's URL, if that is not our own.",
)
.by_default();

const SERVICE_ACCOUNT: OptionSpec = OptionSpec::required(
    "service_account",
    OptionKind::Secret,
    "The JSON key of the service account that texts are sent with, best in a file.",
);

const API_BASE: &str = "https://chat.googleapis.com";
const CERTS_BASE: &str = "https://www.googleapis.com";

/// Who calls apps that are no add-ons, and signs for their project numbers.
const CHAT: &str = "chat@system.gserviceaccount.com";

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How long the keys may take: somebody may be waiting.
const KEYS_PATIENCE: Duration = Duration::from_secs(5);

impl Config {
    /// An app that lacks `audience` or `addon_identity` yet: who calls it.
    #[must_use]
    pub fn new(service_account: Secret) -> Self {
        Self {
            service_account,
            audience: None,
            addon_identity: None,
            api_base: API_BASE.to_owned(),
            certs_base: CERTS_BASE.to_owned(),
            proxy: None,
        }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new(options.secret("service_account")?.ok_or_else(|| SERVICE_ACCOUNT.missing())?);
        Ok(Self {
            audience: options.text("audience")?,
            addon_identity: options.text("addon_identity")?,
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            certs_base: options.text("certs_base")?.unwrap_or(rest.certs_base),
            proxy: options.secret("proxy")?,
            service_account: rest.service_account,
        })
    }

    /// What looks at the tokens of Google's calls, and whose ID tokens they must be.
    pub(super) fn verifier(
        self,
        own_url: String,
        world: &World,
    ) -> Result<(Verifier, Option<String>), ConfigError> {
        let audience = match self.audience {
            Some(audience) => audience,
            None if self.addon_identity.is_some() => own_url,
            None => return Err(AUDIENCE.missing()),
        };
        let is_number = !audience.is_empty() && audience.bytes().all(|byte| byte.is_ascii_digit());
        let (published, issuers, identity) = match self.addon_identity {
            // INVARIANT I14: whose token it must be is one whole name, never a pattern.
            Some(identity) if identity.contains('@') && !is_number => {
                (Published::KeySet("oauth2/v3/certs"), ACCOUNTS, Some(identity))
            }
            Some(_) => {
                return Err(ConfigError::Invalid {
                    name: "addon_identity",
                    reason: "the whole address of a service account is expected, and as `audience` a URL: add-ons know \
                             no other"
                        .to_owned(),
                });
            }
            None if is_number => (
                Published::Certificates("service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com"),
                &[CHAT][..],
                None,
            ),
            // INVARIANT I14: what Google Chat signs for an address names no app. Whoever enters our address in an app of
            // their own would speak to us with it, and what stands on its buttons would be said by those who press them.
            None => {
                return Err(ConfigError::Invalid {
                    name: "audience",
                    reason: "an address alone does not prove which app calls: choose the project number as the app's \
                             authentication audience and give it here, or for an add-on `addon_identity`"
                        .to_owned(),
                });
            }
        };
        let invalid = |reason| ConfigError::Invalid { name: "certs_base", reason };
        let api = Api::new("Google", &self.certs_base, self.proxy.as_ref(), Vec::new(), KEYS_PATIENCE);
        let keys = KeySet::new(api.map_err(invalid)?, published, world.clone());
        let issuers = issuers.iter().map(|&issuer| issuer.to_owned()).collect();
        // Google's tokens have no `nbf`.
        let rules = Rules { issuers, audience, begins: "iat" };
        Ok((Verifier::new(keys, rules, world.clone()), identity))
    }
}

/// The issuer of ID tokens, by both of its names.
const ACCOUNTS: &[&str] = &["https://accounts.google.com", "accounts.google.com"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new().with("service_account", "{}"), Config::from_options);
    }
}
