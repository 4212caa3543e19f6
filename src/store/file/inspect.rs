//! What `doctor` says about the state directory.

use super::Inner;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Good to know.
    Note,
    /// Works, but should be mended.
    Warning,
    /// Something does not work until it is mended.
    Error,
}

/// Something about the state directory that the owner should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about: a path.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What mends it.
    pub mend: String,
}

pub(super) fn inspect(_inner: &Inner) -> Vec<Finding> {
    Vec::new()
}
