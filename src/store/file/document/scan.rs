//! Reading a document once, front to back. What is accepted is decided here alone, for every kind of reader.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::DocumentError;

/// The version of the documents that we know.
const VERSION: f64 = 1.0;

/// What is told about a document while it is read. All of it is void if the scan fails in the end.
pub(super) trait Sink {
    /// A member of the object; the list itself comes as `None`, before its items.
    fn member(&mut self, key: &RawValue, value: Option<&RawValue>);
    /// An entry of the list.
    fn item(&mut self, item: &RawValue);
}

/// Reads `bytes` as an object with the list `list`.
pub(super) fn scan(bytes: &[u8], list: &'static str, sink: &mut impl Sink) -> Result<(), DocumentError> {
    let text = text(bytes)?;
    let mut refusal = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let root = Root { list, sink, refusal: &mut refusal };
    let read = json.deserialize_map(root).and_then(|()| json.end());
    read.map_err(|error| match refusal {
        Some(why) if error.is_data() => why,
        _ => classify(text, &error),
    })
}

/// Reads `bytes` as an object; its members in their order.
pub(super) fn object(bytes: &[u8]) -> Result<Vec<(Cow<'_, str>, &str)>, DocumentError> {
    let text = text(bytes)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Members).and_then(|members| json.end().map(|()| members));
    let members = read.map_err(|error| classify(text, &error))?;
    let mut keys = BTreeSet::new();
    if members.iter().all(|(key, _)| keys.insert(key.as_ref())) {
        Ok(members)
    } else {
        Err(DocumentError::DuplicateKey)
    }
}

fn text(bytes: &[u8]) -> Result<&str, DocumentError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(DocumentError::ByteOrderMark);
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| DocumentError::NotUtf8 { offset: error.valid_up_to() })?;
    if text.trim_ascii().is_empty() { Err(DocumentError::Empty) } else { Ok(text) }
}

/// The text of a JSON string; borrowed where nothing in it is escaped. `None` for anything else, and for a string
/// that is no text (half of a surrogate pair).
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The members of the JSON object `raw` in their order, or `None` where it is none. Unreadable keys are left out.
pub(super) fn members(raw: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    serde_json::Deserializer::from_str(raw).deserialize_map(Members).ok()
}

fn classify(text: &str, error: &serde_json::Error) -> DocumentError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => DocumentError::Truncated { line, column },
        Category::Data => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => DocumentError::WrongRoot,
            Err(syntax) if syntax.is_data() => DocumentError::Syntax { line, column },
            Err(syntax) => classify(text, &syntax),
        },
        Category::Syntax | Category::Io => DocumentError::Syntax { line, column },
    }
}

struct Root<'a, S> {
    list: &'static str,
    sink: &'a mut S,
    /// Why the document is refused, where it is not for its syntax.
    refusal: &'a mut Option<DocumentError>,
}

impl<S> Root<'_, S> {
    fn refuse<E: serde::de::Error>(&mut self, why: DocumentError) -> E {
        let error = E::custom(&why);
        *self.refusal = Some(why);
        error
    }
}

impl<'de, S: Sink> Visitor<'de> for Root<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        let mut has_list = false;
        while let Some(raw_key) = map.next_key::<&RawValue>()? {
            let key = string(raw_key.get()).unwrap_or(Cow::Borrowed(raw_key.get()));
            if key == self.list {
                has_list = true;
                self.sink.member(raw_key, None);
                // Counts only where the value is JSON and yet refused, which is where it is no list.
                *self.refusal = Some(DocumentError::WrongType { key: self.list });
                map.next_value_seed(List(&mut *self.sink))?;
            } else {
                let value = map.next_value::<&RawValue>()?;
                if key == "version" {
                    check_version(value.get()).map_err(|why| self.refuse(why))?;
                }
                self.sink.member(raw_key, Some(value));
            }
            if !keys.insert(key) {
                return Err(self.refuse(DocumentError::DuplicateKey));
            }
        }
        if has_list { Ok(()) } else { Err(self.refuse(DocumentError::MissingList { key: self.list })) }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only a number for the message")]
fn check_version(raw: &str) -> Result<(), DocumentError> {
    match serde_json::from_str::<f64>(raw) {
        Ok(version) if version > VERSION => Err(DocumentError::FutureVersion(version.ceil() as u64)),
        Ok(version) if version < VERSION => Err(DocumentError::WrongType { key: "version" }),
        Ok(_) => Ok(()),
        Err(_) => Err(DocumentError::WrongType { key: "version" }),
    }
}

struct List<'a, S>(&'a mut S);

impl<'de, S: Sink> DeserializeSeed<'de> for List<'_, S> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for List<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element::<&RawValue>()? {
            self.0.item(item);
        }
        Ok(())
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            if let Some(key) = string(key.get()) {
                members.push((key, value.get()));
            }
        }
        Ok(members)
    }
}
