//! Roles and scopes: what a device may be, and what it may do.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// What a device is to the gateway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It asks the gateway to do things: a command line, an app.
    Operator,
    /// It does things for the gateway: a phone, a headless machine.
    Node,
}

/// One right, as `operator.pairing`: 1 to 64 of `a-z0-9._:-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(SmolStr);

/// A set of rights. At most 64 are asked for at once; what was approved at different times may be more together.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

/// A text that is no scope, or too many of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "not a list of scopes: each is 1 to 64 of `a-z0-9._:-`, as `operator.read`, and there are at most 64"
)]
pub struct ScopeError;

/// Stands above all other scopes of an operator.
pub const ADMIN: &str = "operator.admin";
/// What whoever decides about devices must hold.
pub const PAIRING: &str = "operator.pairing";

const WRITE: &str = "operator.write";
const READ: &str = "operator.read";

impl Role {
    /// Its name on the wire and in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }

    /// The role of this name; names have one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Operator, Self::Node].into_iter().find(|role| role.as_str() == text)
    }
}

impl Scope {
    /// Reads a scope.
    ///
    /// # Errors
    /// [`ScopeError`] if it is none.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let is_good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
        let good = (1..=64).contains(&text.len()) && text.bytes().all(is_good);
        if good { Ok(Self(text.into())) } else { Err(ScopeError) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scopes {
    /// The most scopes in a set.
    const MOST: usize = 64;

    /// Reads scopes, in whatever order; the same one twice is one.
    ///
    /// # Errors
    /// [`ScopeError`] if one of them is none, or if they are too many.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let scopes: BTreeSet<Scope> =
            texts.into_iter().take(Self::MOST + 1).map(Scope::parse).collect::<Result<_, _>>()?;
        if scopes.len() > Self::MOST { Err(ScopeError) } else { Ok(Self(scopes)) }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether these give that right: by its name, an operator's right by `operator.admin`, reading by writing.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        let has = |wanted: &str| self.0.iter().any(|held| held.as_str() == wanted);
        has(scope) || (scope.starts_with("operator.") && has(ADMIN)) || (scope == READ && has(WRITE))
    }

    /// Whether these give every one of those rights; an empty set asks for nothing.
    #[must_use]
    pub fn cover(&self, wanted: &Self) -> bool {
        self.first_missing(wanted).is_none()
    }

    /// The first of those rights that these do not give.
    #[must_use]
    pub fn first_missing<'a>(&self, wanted: &'a Self) -> Option<&'a Scope> {
        wanted.iter().find(|scope| !self.allow(scope.as_str()))
    }

    /// With what its members bring along written out, as established programs write them: `operator.admin` brings
    /// writing, and writing brings reading. It gives no right that was not given before.
    #[must_use]
    pub fn written_out(&self) -> Self {
        let mut out = self.clone();
        for scope in [WRITE, READ] {
            if self.allow(scope) {
                out.0.insert(Scope(scope.into()));
            }
        }
        out
    }

    /// Those of these that the others give too.
    #[must_use]
    pub fn within(&self, others: &Self) -> Self {
        Self(self.0.iter().filter(|scope| others.allow(scope.as_str())).cloned().collect())
    }

    /// These and those.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Joined by commas.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Scope::as_str))
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let scopes = texts.iter().map(|text| Scope::parse(text)).collect::<Result<_, _>>();
        scopes.map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Scopes {
        Scopes::parse(texts.iter().copied()).unwrap()
    }

    #[test]
    fn what_covers_what() {
        for (held, wanted, covered) in [
            (&["operator.admin"][..], &["operator.pairing", "operator.read"][..], true),
            (&["operator.admin"], &["node.anything"], false),
            (&["operator.write"], &["operator.read"], true),
            (&["operator.read"], &["operator.write"], false),
            (&["operator.write"], &["operator.admin"], false),
            (&["operator.pairing"], &["operator.pairin"], false),
            (&["operator"], &["operator.read"], false),
            (&[], &[], true),
            (&[], &["operator.read"], false),
            (&["operator.admin.x"], &["operator.read"], false),
        ] {
            assert_eq!(scopes(held).cover(&scopes(wanted)), covered, "{held:?} {wanted:?}");
        }
    }

    #[test]
    fn written_out_gives_nothing_new() {
        let admin = scopes(&["operator.admin"]);
        assert_eq!(admin.written_out().to_string(), "operator.admin,operator.read,operator.write");
        assert!(admin.cover(&admin.written_out()));
        assert_eq!(scopes(&["operator.pairing"]).written_out().to_string(), "operator.pairing");
    }

    #[test]
    fn within_is_what_both_give() {
        let held = scopes(&["operator.admin", "operator.read", "operator.write", "node.x"]);
        for (others, left) in [
            (&["operator.read"][..], &["operator.read"][..]),
            (&["operator.write", "node.x"], &["operator.read", "operator.write", "node.x"]),
            (&["operator.admin"], &["operator.admin", "operator.read", "operator.write"]),
            (&[], &[]),
        ] {
            assert_eq!(held.within(&scopes(others)), scopes(left), "{others:?}");
        }
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for bad in ["", "Operator.read", "a b", "a,b", "a|b", "ä", &"x".repeat(65)] {
            assert_eq!(Scope::parse(bad), Err(ScopeError), "{bad}");
        }
        let many: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
        assert!(Scopes::parse(many.iter().map(String::as_str)).is_err());
        let most = Scopes::parse(many.iter().take(64).map(String::as_str)).unwrap();
        // What two approvals made of it is read as it was written.
        let approved = most.and(&scopes(&["operator.admin"])).written_out();
        let text = serde_json::to_string(&approved).unwrap();
        assert_eq!(serde_json::from_str::<Scopes>(&text).unwrap(), approved);
    }
}
