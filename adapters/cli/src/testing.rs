//! For the fuzz targets: what is read of what people write and type. Nothing is done.

use std::ffi::OsString;

use clap::Parser;
use dmgate::{AccountKey, AccountPolicy};

use crate::arguments::{self, Arguments};
use crate::config::node::Origin;
use crate::config::{Config, Sources, document};

/// What a configuration says.
#[derive(Debug)]
pub struct Configuration {
    /// The policy of every account that is configured.
    pub policies: Vec<(AccountKey, AccountPolicy)>,
    /// Who gets in where nothing is configured.
    pub fallback: AccountPolicy,
    /// What `config show` shows: key, value, and whether somebody wrote it.
    pub shown: Vec<(String, String, bool)>,
}

/// Reads the text of a configuration file, in an empty environment.
///
/// # Errors
/// What the owner is told.
pub fn configuration(text: &str) -> Result<Configuration, String> {
    let sources = Sources {
        path: "dmgate.toml".into(),
        must_exist: true,
        state_dir: "/nowhere".into(),
        variables: Vec::new(),
    };
    let read = document::parse(text, &sources.path).and_then(|table| Config::of(table, &sources));
    let config = read.map_err(|error| error.to_string())?;
    let policies = config.policies();
    let is_written = |origin: &Origin| *origin != Origin::Default;
    let shown = config.shown.into_iter().map(|line| (line.key, line.value, is_written(&line.origin)));
    Ok(Configuration { policies, fallback: config.fallback, shown: shown.collect() })
}

/// Reads a command line, the program's name first; says what was understood, for people.
///
/// # Errors
/// What the owner is told, on one line; for a question for help or version, nothing.
pub fn command_line(words: impl IntoIterator<Item = OsString>) -> Result<String, Option<String>> {
    match Arguments::try_parse_from(words) {
        Ok(arguments) => Ok(format!("{arguments:?}")),
        Err(error) if error.use_stderr() => Err(Some(arguments::one_line(&error))),
        Err(_) => Err(None),
    }
}
