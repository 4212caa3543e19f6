//! The list of approved senders of an account.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::scan::{Sink, scan, string};
use super::{Document, DocumentError, quoted};

const LIST: &str = "allowFrom";

/// An allow file.
#[derive(Clone)]
pub(crate) struct AllowDocument(Document);

impl fmt::Debug for AllowDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowDocument").field("entries", &self.0.items.len()).finish_non_exhaustive()
    }
}

impl AllowDocument {
    /// The document of an account that has approved nobody.
    pub(crate) fn empty() -> Self {
        Self(Document::empty(LIST))
    }

    /// Reads a document.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        Document::parse(bytes, LIST).map(Self)
    }

    /// The entries in their order: strings, and integers as their decimal text. Anything else is not an entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.items.iter().filter_map(|item| entry(item))
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, sender: &str) {
        self.0.items.push(quoted(sender).into());
    }

    /// Removes every entry for which `is_meant` is true, and says how many that were. What is not an entry stays.
    pub(crate) fn remove_where(&mut self, mut is_meant: impl FnMut(&str) -> bool) -> usize {
        let before = self.0.items.len();
        self.0.items.retain(|item| !entry(item).is_some_and(|entry| is_meant(&entry)));
        before.saturating_sub(self.0.items.len())
    }

    /// The document as it is to be written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}

/// Tells `visit` the entries of an allow file, without keeping any of it. Accepts exactly what
/// [`AllowDocument::parse`] accepts; when it fails in the end, what was visited is void.
pub(crate) fn visit_allow_entries(bytes: &[u8], visit: impl FnMut(&str)) -> Result<(), DocumentError> {
    scan(bytes, LIST, &mut Entries(visit))
}

struct Entries<F>(F);

impl<F: FnMut(&str)> Sink for Entries<F> {
    fn member(&mut self, _key: &RawValue, _value: Option<&RawValue>) {}

    fn item(&mut self, item: &RawValue) {
        if let Some(entry) = entry(item.get()) {
            (self.0)(&entry);
        }
    }
}

fn entry(raw: &str) -> Option<Cow<'_, str>> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer { Some(Cow::Borrowed(raw)) } else { string(raw) }
}
