//! Documents read in the plainest way: what a program would take from them that trusts whatever is JSON.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order: key and value as they are written.
pub(crate) struct Members<'a>(pub(crate) Vec<(&'a str, &'a str)>);

/// A document with one list.
pub(crate) struct Document<'a> {
    /// Everything but the list.
    pub(crate) others: Vec<(&'a str, &'a str)>,
    /// The entries of the list.
    pub(crate) items: Vec<&'a str>,
}

impl<'a> Document<'a> {
    /// `None` for anything but an object with such a list. Of two lists the last counts, as in most programs.
    pub(crate) fn read(bytes: &'a [u8], list: &str) -> Option<Self> {
        let Members(mut others) = serde_json::from_slice(bytes).ok()?;
        let at = others.iter().rposition(|(key, _)| text(key).as_deref() == Some(list))?;
        let items: Vec<&RawValue> = serde_json::from_str(others.remove(at).1).ok()?;
        Some(Self { others, items: items.into_iter().map(RawValue::get).collect() })
    }
}

/// A JSON string's text.
pub(crate) fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// A member of an object; of two with one key the last.
pub(crate) fn member<'a>(raw: &'a str, key: &str) -> Option<&'a str> {
    let Members(members) = serde_json::from_str(raw).ok()?;
    members.iter().rev().find(|(name, _)| text(name).as_deref() == Some(key)).map(|(_, value)| *value)
}

/// A member that is a text.
pub(crate) fn text_of(raw: &str, key: &str) -> Option<String> {
    text(member(raw, key)?)
}

/// Whatever stands between two quotes, whether it is JSON or not: whom a careless reader might let in.
pub(crate) fn quoted(bytes: &[u8]) -> impl Iterator<Item = String> {
    let parts: Vec<String> = String::from_utf8_lossy(bytes).split('"').map(str::to_owned).collect();
    // What stands between two of them is mostly marks.
    parts.into_iter().filter(|part| part.len() <= 64 && part.contains(char::is_alphanumeric))
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push((key.get(), value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
