//! The table: cases by kind, and in words what a platform does not have.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A channel's table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(default, rename = "_about")]
    _about: String,
    cases: Vec<Case>,
    /// By transport or `any`: the kinds that there are none of, and why.
    #[serde(default)]
    never: BTreeMap<String, BTreeMap<Kind, String>>,
}

/// One case.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What kind of input it is.
    pub kind: Kind,
    /// What it is called.
    pub case: String,
    /// What is given: the adapter's test makes an event or a request of it.
    pub given: Value,
    /// How the adapter is set up for it, if not as usual: the adapter's test knows.
    #[serde(default)]
    pub setup: Value,
    /// The transport that it is about, if only one.
    by: Option<String>,
    /// What is given before; for a duplicate without any, the same.
    before: Option<Vec<Value>>,
    /// What must be taken afterwards.
    pub(super) then: Option<Value>,
    /// The status of the answer, if one is expected.
    pub(super) status: Option<u16>,
    /// The messages that come of it.
    #[serde(default)]
    pub(super) expect: Value,
}

/// The kinds of input that every adapter must answer for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person's message to us alone.
    Direct,
    /// A message in a group, room or channel.
    Group,
    /// A conversation of several that the platform calls direct all the same.
    GroupDirect,
    /// Our own message, come back.
    Own,
    /// Another bot's, a service's, a web hook's.
    Bot,
    /// An edit of an earlier message.
    Edit,
    /// A reaction.
    Reaction,
    /// A delivery or read receipt, or a sign of typing.
    Receipt,
    /// What came before.
    Duplicate,
    /// A proof that is not right.
    WrongSignature,
    /// No proof at all.
    MissingSignature,
    /// A right proof that was used before, or is old.
    Replayed,
    /// An event that we don't know.
    Unknown,
    /// A message that nobody sent.
    MissingSender,
    /// More than there should be.
    OverLong,
    /// What can't be read.
    Malformed,
    /// A message from long before.
    Backlog,
    /// A message with a file.
    Attachment,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Direct,
        Self::Group,
        Self::GroupDirect,
        Self::Own,
        Self::Bot,
        Self::Edit,
        Self::Reaction,
        Self::Receipt,
        Self::Duplicate,
        Self::WrongSignature,
        Self::MissingSignature,
        Self::Replayed,
        Self::Unknown,
        Self::MissingSender,
        Self::OverLong,
        Self::Malformed,
        Self::Backlog,
        Self::Attachment,
    ];
}

impl Table {
    /// A table, as it stands in a file.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("this is no table: {error}"))
    }

    /// The cases of a transport, in the order of the table.
    pub fn cases<'a>(&'a self, transport: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| case.by.as_deref().is_none_or(|by| by == transport))
    }

    /// Each kind has a case or a reason why there is none, and not both.
    pub(super) fn covers(&self, transport: &str) {
        for kind in Kind::ALL {
            let has_case = self.cases(transport).any(|case| case.kind == kind);
            let reason = ["any", transport].iter().find_map(|by| self.never.get(*by)?.get(&kind));
            assert!(
                reason.is_none_or(|reason| !reason.trim().is_empty()),
                "{kind:?}: a reason without words"
            );
            match (has_case, reason) {
                (false, None) => {
                    panic!("{transport}: the table has no case of {kind:?}, nor why there is none")
                }
                (true, Some(reason)) => panic!("{transport}: there are cases of {kind:?}, and `{reason}`"),
                (true, None) | (false, Some(_)) => {}
            }
        }
        assert!(self.cases(transport).any(|case| case.kind == Kind::Direct), "nothing ever comes in");
    }
}

impl Case {
    /// What is given before.
    pub(super) fn before(&self) -> &[Value] {
        match &self.before {
            Some(before) => before,
            None if self.kind == Kind::Duplicate => std::slice::from_ref(&self.given),
            None => &[],
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}", self.kind, self.case)
    }
}
