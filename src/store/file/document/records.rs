//! An object whose members are records: what is known about devices and nodes, each under its id.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::scan::object;
use super::{DocumentError, quoted};

/// A record that is kept under a key.
pub(crate) trait Record: Serialize + DeserializeOwned + PartialEq + Clone {
    /// The key that it is kept under.
    fn key(&self) -> String;
}

/// The records of a file.
#[derive(Clone)]
pub(crate) struct Records<T>(Vec<Entry<T>>);

#[derive(Clone)]
struct Entry<T> {
    key: String,
    /// As it is written.
    raw: Box<str>,
    /// `None`: of a form that we don't know, or under another key than its own. It says nothing, and stays.
    value: Option<T>,
}

impl<T> fmt::Debug for Records<T> {
    // Tokens are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("entries", &self.0.len()).finish_non_exhaustive()
    }
}

impl<T: Record> Records<T> {
    /// A file without records.
    pub(crate) fn empty() -> Self {
        Self(Vec::new())
    }

    /// Reads a file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let entries = object(bytes)?.into_iter().map(|(key, raw)| {
            let value = serde_json::from_str::<T>(raw).ok().filter(|value| value.key() == key);
            Entry { key: key.into_owned(), raw: raw.into(), value }
        });
        Ok(Self(entries.collect()))
    }

    /// The records, in their order.
    pub(crate) fn values(&self) -> Vec<T> {
        self.0.iter().filter_map(|entry| entry.value.clone()).collect()
    }

    /// How many entries are none that we know.
    pub(crate) fn strange(&self) -> usize {
        self.0.iter().filter(|entry| entry.value.is_none()).count()
    }

    /// Makes these the records. Says whether anything changed.
    // INVARIANT I10: what did not change is written back as it was, and so is what we don't know.
    pub(crate) fn set(&mut self, values: &[T]) -> bool {
        let before = self.0.len();
        let is_new = |key: &str| values.iter().find(|value| value.key() == key);
        self.0.retain(|entry| entry.value.is_none() || is_new(&entry.key).is_some());
        let mut changed = self.0.len() != before;
        for value in values {
            let key = value.key();
            let entry = self.0.iter_mut().find(|entry| entry.key == key);
            match entry {
                Some(entry) if entry.value.as_ref() == Some(value) => {}
                Some(entry) => {
                    *entry = Entry { raw: written(value), value: Some(value.clone()), key };
                    changed = true;
                }
                None => {
                    self.0.push(Entry { raw: written(value), value: Some(value.clone()), key });
                    changed = true;
                }
            }
        }
        changed
    }

    /// The file as it is to be written: two spaces of indent, no final newline.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::from("{");
        for (at, entry) in self.0.iter().enumerate() {
            out.push_str(if at == 0 { "\n  " } else { ",\n  " });
            out.push_str(&quoted(&entry.key));
            out.push_str(": ");
            out.push_str(&entry.raw);
        }
        out.push_str(if self.0.is_empty() { "}" } else { "\n}" });
        out.into_bytes()
    }
}

/// Indented for its place in the file.
fn written<T: Serialize>(value: &T) -> Box<str> {
    // A record is an object of texts, numbers and lists, which can't fail to be written.
    serde_json::to_string_pretty(value).unwrap_or_default().replace('\n', "\n  ").into()
}
