//! The established JSON documents, changed without losing what other programs keep in them.
//!
//! A document is kept as the texts of its members and of the entries of its one list; [`Records`] are an object whose
//! members are its entries. What is not changed is written back byte for byte, in the established form around it: two
//! spaces of indent, and one final newline where that is established.

mod allow;
mod pending;
mod records;
mod scan;

pub(crate) use allow::{AllowDocument, visit_allow_entries};
pub(crate) use pending::{PendingDocument, StoredRequest};
pub(crate) use records::{Record, Records};

use serde_json::value::RawValue;

use scan::{Sink, scan};

/// Why a document is not used, and so never overwritten. Says where and what kind, never what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// There is nothing in it.
    #[error("the file is empty; restore it from a copy, or remove it to begin with an empty list")]
    Empty,
    /// It begins with a byte-order mark.
    #[error("the file begins with a byte-order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// It is not UTF-8.
    #[error("the file is not UTF-8 from byte {offset} on; restore it from a copy")]
    NotUtf8 {
        /// How many bytes are good.
        offset: usize,
    },
    /// It ends in the middle.
    #[error("the file ends in the middle, at line {line} column {column}; restore it from a copy")]
    Truncated {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is not JSON.
    #[error("the file is not valid JSON at line {line} column {column}; correct it there")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON, but not an object.
    #[error("the file is not a JSON object; restore it from a copy")]
    WrongRoot,
    /// A key occurs twice, and programs differ in which one counts.
    #[error("the file has the same key twice on its top level; remove one of the two")]
    DuplicateKey,
    /// The list is not there.
    #[error("the file has no `{key}`; add an empty list under that key")]
    MissingList {
        /// The key of the list.
        key: &'static str,
    },
    /// The list is not a list, or the version not a number.
    #[error("`{key}` in the file has the wrong type; correct it")]
    WrongType {
        /// The key.
        key: &'static str,
    },
    /// A later program wrote it.
    #[error("the file has version {0}, and this program knows version 1; update this program")]
    FutureVersion(u64),
}

/// A document: members in their order, one of which is the list.
#[derive(Clone)]
struct Document {
    members: Vec<Member>,
    items: Vec<Box<str>>,
}

#[derive(Clone)]
struct Member {
    /// The key as it is written, with its quotes.
    key: Box<str>,
    /// The value as it is written; `None` stands for the list.
    value: Option<Box<str>>,
}

impl Document {
    fn empty(list: &'static str) -> Self {
        let version = Member { key: "\"version\"".into(), value: Some("1".into()) };
        let list = Member { key: format!("\"{list}\"").into(), value: None };
        Self { members: vec![version, list], items: Vec::new() }
    }

    fn parse(bytes: &[u8], list: &'static str) -> Result<Self, DocumentError> {
        let mut document = Self { members: Vec::new(), items: Vec::new() };
        scan(bytes, list, &mut document)?;
        Ok(document)
    }

    // INVARIANT I10: members and entries that we don't know are written back as they were, in their order.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::from("{");
        for (at, Member { key, value }) in self.members.iter().enumerate() {
            out.push_str(if at == 0 { "\n  " } else { ",\n  " });
            out.push_str(key);
            out.push_str(": ");
            match value {
                Some(value) => out.push_str(value),
                None => self.write_list(&mut out),
            }
        }
        out.push_str("\n}\n");
        out.into_bytes()
    }

    fn write_list(&self, out: &mut String) {
        out.push('[');
        for (at, item) in self.items.iter().enumerate() {
            out.push_str(if at == 0 { "\n    " } else { ",\n    " });
            out.push_str(item);
        }
        out.push_str(if self.items.is_empty() { "]" } else { "\n  ]" });
    }
}

impl Sink for Document {
    fn member(&mut self, key: &RawValue, value: Option<&RawValue>) {
        let value = value.map(|value| value.get().into());
        self.members.push(Member { key: key.get().into(), value });
    }

    fn item(&mut self, item: &RawValue) {
        self.items.push(item.get().into());
    }
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
