//! What the Zalo adapter for people's accounts is told.

use crate::bridge;
use crate::options::{ConfigError, OptionSpec, Options};

/// What the Zalo adapter for people's accounts is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bridge that is logged in to Zalo.
    pub bridge: bridge::Config,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[bridge::COMMAND.by_default(), bridge::URL, bridge::TOKEN];

impl Config {
    /// An account that is reached by this bridge.
    #[must_use]
    pub fn new(bridge: bridge::Config) -> Self {
        Self { bridge }
    }

    /// What is given.
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        Ok(Self::new(bridge::Config::from_options(options)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("bridge", vec!["node".to_owned(), "bridge.mjs".to_owned()]);
        check_table(OPTIONS, &needed, Config::from_options);
    }
}
