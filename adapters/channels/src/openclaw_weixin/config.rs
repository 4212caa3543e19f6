//! What the WeChat adapter is told.

use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;

/// What the WeChat adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's token, in place of a login.
    pub token: Option<Secret>,
    /// Where the iLink server is: an `http` or `https` URL without a query.
    pub api_base: String,
    /// Where files are: the same.
    pub cdn_base: String,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "token",
        OptionKind::Secret,
        "The bot's token, where somebody else logs in; without it, `dmgate channels login openclaw-weixin` gets one.",
    ),
    OptionSpec::optional(
        "api_base",
        OptionKind::String,
        "Where the iLink server is; a login may name another one of Tencent's.",
    )
    .or(API_BASE),
    OptionSpec::optional("cdn_base", OptionKind::String, "Where files are.").or(CDN_BASE),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const API_BASE: &str = "https://ilinkai.weixin.qq.com";

const CDN_BASE: &str = "https://novac2c.cdn.weixin.qq.com/c2c";

impl Default for Config {
    /// The bot of a login, on Tencent's own servers.
    fn default() -> Self {
        Self { token: None, api_base: API_BASE.to_owned(), cdn_base: CDN_BASE.to_owned(), proxy: None }
    }
}

impl Config {
    /// What is given; the rest as in [`Config::default`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::default();
        Ok(Self {
            token: options.secret("token")?,
            api_base: options.text("api_base")?.unwrap_or(rest.api_base),
            cdn_base: options.text("cdn_base")?.unwrap_or(rest.cdn_base),
            proxy: options.secret("proxy")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new(), Config::from_options);
    }
}
