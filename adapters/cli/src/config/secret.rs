//! Secrets: written in the configuration, in a file of their own, or in the environment. They are read when they are
//! used, so that a command that needs none needs no access to any.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use super::error::ConfigError;
use super::node::Origin;

/// The longest secret, in bytes.
const LONGEST: u64 = 64 << 10;

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    /// The key without `_file` and `_env`, for error messages.
    pub(crate) key: String,
    /// Where it was written.
    pub(crate) origin: Origin,
    /// Where it is.
    pub(crate) place: Place,
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the configuration itself.
    Here(String),
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

impl Secret {
    /// The secret itself.
    pub(crate) fn reveal(&self) -> Result<String, ConfigError> {
        let secret = match &self.place {
            Place::Here(text) => text.clone(),
            Place::File(path) => read(path).map_err(|why| self.trouble(&why))?,
            Place::Variable(name) => std::env::var(name)
                .map_err(|_| self.trouble(&format!("the environment variable {name} is not set")))?,
        };
        let secret = secret.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(self.trouble("it is empty"));
        }
        Ok(secret.to_owned())
    }

    fn trouble(&self, why: &str) -> ConfigError {
        ConfigError::at(&self.origin, format!("the secret `{}` can't be had: {why}", self.key))
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    let trouble = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(|error| trouble(&error))?;
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| trouble(&error))?;
    if text.len() as u64 > LONGEST { Err(trouble(&"too long for a secret")) } else { Ok(text) }
}

/// Never the secret, only where it is.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Here(_) => f.write_str("********"),
            Place::File(path) => write!(f, "******** (in {})", path.display()),
            Place::Variable(name) => write!(f, "******** (in ${name})"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}
