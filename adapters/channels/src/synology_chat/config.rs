//! What the Synology Chat adapter is told.

use std::path::PathBuf;

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the Synology Chat adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the NAS is: an `http` or `https` URL without a query.
    pub base_url: String,
    /// The bot's token, of letters and digits.
    pub token: Secret,
    /// A PEM file with certificates to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    BASE_URL,
    TOKEN,
    OptionSpec::optional(
        "ca_file",
        OptionKind::String,
        "A PEM file with certificates to trust besides the machine's, for a NAS with a certificate of its own making.",
    ),
];

const BASE_URL: OptionSpec = OptionSpec::required(
    "base_url",
    OptionKind::String,
    "Where the NAS is, as `https://nas.example.org:5001`; the certificate must have this name.",
);

const TOKEN: OptionSpec = OptionSpec::required(
    "token",
    OptionKind::Secret,
    "The bot's token, as the integration shows it, without quotation marks.",
);

impl Config {
    /// A NAS whose certificate the machine trusts.
    #[must_use]
    pub fn new(base_url: String, token: Secret) -> Self {
        Self { base_url, token, ca_file: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let base_url = options.text("base_url")?.ok_or_else(|| BASE_URL.missing())?;
        let token = options.secret("token")?.ok_or_else(|| TOKEN.missing())?;
        Ok(Self { ca_file: options.text("ca_file")?.map(PathBuf::from), ..Self::new(base_url, token) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("base_url", "https://nas").with("token", "t");
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
