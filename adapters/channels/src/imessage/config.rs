//! What the iMessage adapter is told.

use std::path::PathBuf;

use crate::bridge::program;
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};

/// What the iMessage adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Whether senders count whom Apple does not stand for.
    pub sms: bool,
    /// The folder of attachments, where it can be read here.
    pub attachments: Option<PathBuf>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "command",
        OptionKind::List,
        "The program and its arguments; on another Mac, `[\"ssh\", \"-T\", \"mac\", \"imsg\", \"rpc\"]`.",
    )
    .or("imsg, rpc"),
    OptionSpec::optional(
        "sms",
        OptionKind::Bool,
        "Whether people count who write by SMS or RCS, whose sender anybody can forge, or where Messages does not say by \
         what (macOS 26).",
    )
    .or("false"),
    OptionSpec::optional(
        "attachments",
        OptionKind::String,
        "The folder of attachments, `…/Library/Messages/Attachments`, where it can be read here; without it files are \
         described and not handed on.",
    ),
];

impl Config {
    /// `imsg` on this Mac.
    #[must_use]
    pub fn new() -> Self {
        Self { command: vec!["imsg".to_owned(), "rpc".to_owned()], sms: false, attachments: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let rest = Self::new();
        Ok(Self {
            command: options.list("command")?.unwrap_or(rest.command),
            sms: options.bool("sms")?.unwrap_or(rest.sms),
            attachments: options.text("attachments")?.map(PathBuf::from),
        })
    }

    /// The words that the program is started by.
    pub(super) fn words(&self) -> Result<Vec<String>, ConfigError> {
        program("command", self.command.clone())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    #[test]
    fn the_table_says_what_is_read() {
        check_table(OPTIONS, &Options::new(), Config::from_options);
        let line = Config { command: vec!["imsg rpc".to_owned()], ..Config::new() };
        assert!(
            matches!(line.words(), Err(ConfigError::Invalid { name: "command", .. })),
            "there is no shell"
        );
    }
}
