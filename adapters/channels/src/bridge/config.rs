//! How a bridge is reached. The options are those of every channel that has one; each puts them in its own table.

use super::Means;
use crate::Secret;
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::socket::SocketAddress;

/// How a bridge is reached: a program, or an address.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The program and its arguments; no shell reads them.
    pub command: Option<Vec<String>>,
    /// The `ws` or `wss` address where it listens; it may hold a ticket.
    pub url: Option<Secret>,
    /// What it is shown there, as `Authorization: Bearer`.
    pub token: Option<Secret>,
}

/// The program that is the bridge.
pub(crate) const COMMAND: OptionSpec = OptionSpec::optional(
    "bridge",
    OptionKind::List,
    "The bridge's program and its arguments, as `[\"node\", \"bridge.mjs\"]`; this or `bridge_url`.",
);

/// Where the bridge listens.
pub(crate) const URL: OptionSpec = OptionSpec::optional(
    "bridge_url",
    OptionKind::Secret,
    "Where a bridge listens that is not started by us, as `ws://127.0.0.1:7000`.",
);

/// What a bridge wants to see.
pub(crate) const TOKEN: OptionSpec =
    OptionSpec::optional("bridge_token", OptionKind::Secret, "What a bridge at `bridge_url` wants to see.");

impl Config {
    /// What is given of the three options.
    pub(crate) fn from_options(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self {
            command: options.list(COMMAND.name)?,
            url: options.secret(URL.name)?,
            token: options.secret(TOKEN.name)?,
        })
    }

    /// The one way that is given.
    pub(crate) fn means(self) -> Result<Means, ConfigError> {
        let invalid = |name, reason: String| ConfigError::Invalid { name, reason };
        match (self.command, self.url) {
            (Some(_), None) if self.token.is_some() => {
                let reason = "it goes with `bridge_url`; a program has its secrets from where it keeps them";
                Err(invalid(TOKEN.name, reason.to_owned()))
            }
            (Some(words), None) => program(COMMAND.name, words).map(Means::Program),
            (None, Some(url)) => {
                let address =
                    SocketAddress::parse(url.reveal()).map_err(|reason| invalid(URL.name, reason))?;
                Ok(Means::Socket(address, self.token))
            }
            (None, None) => Err(COMMAND.missing()),
            (Some(_), Some(_)) => Err(invalid(
                URL.name,
                "there is a program as `bridge` already; leave one of them out".to_owned(),
            )),
        }
    }
}

/// The words of a command. One word with blanks in it is a line for a shell, and there is none.
pub(crate) fn program(name: &'static str, words: Vec<String>) -> Result<Vec<String>, ConfigError> {
    match words.as_slice() {
        [line] if line.contains(' ') => Err(ConfigError::Invalid {
            name,
            reason: "a list of words is expected, the program first, as `[\"node\", \"bridge.mjs\"]`"
                .to_owned(),
        }),
        _ => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_a_bridge() {
        let means = |options: Options| Config::from_options(&options).and_then(Config::means);
        let command = || Options::new().with("bridge", vec!["node".to_owned(), "bridge.mjs".to_owned()]);
        assert!(matches!(means(command()), Ok(Means::Program(words)) if words == ["node", "bridge.mjs"]));
        let url = Options::new().with("bridge_url", "ws://127.0.0.1:7000").with("bridge_token", "t0ken");
        assert!(matches!(means(url), Ok(Means::Socket(_, Some(_)))));
        for wrong in [
            Options::new(),
            command().with("bridge_url", "ws://127.0.0.1:7000"),
            command().with("bridge_token", "t0ken"),
            Options::new().with("bridge", "node bridge.mjs"),
            Options::new().with("bridge_url", "http://127.0.0.1:7000"),
        ] {
            let told = means(wrong).err().unwrap().to_string();
            assert!(!told.contains("7000") || told.contains("wss://"), "{told}");
        }
    }
}
