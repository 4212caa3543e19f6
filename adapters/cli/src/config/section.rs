//! Reading a section: each key that is asked for is known, what is left over is an error, and what was read is noted for
//! `config show`.

use std::time::Duration;

use super::document;
use super::error::ConfigError;
use super::node::{Node, Origin, Table, Value};
use super::secret::{Place, Secret};

/// One effective value, for `config show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The key, with its sections.
    pub(crate) key: String,
    /// The value as TOML writes it; a secret is masked.
    pub(crate) value: String,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it was written.
    pub(crate) origin: Origin,
}

/// A section that is being read.
pub(crate) struct Section<'a> {
    path: String,
    origin: Origin,
    table: Table,
    known: Vec<String>,
    /// What nobody wrote is as elsewhere, and is shown there.
    inherits: bool,
    shown: &'a mut Vec<Shown>,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub(crate) fn root(table: Table, shown: &'a mut Vec<Shown>) -> Self {
        Self {
            path: String::new(),
            origin: Origin::Default,
            table,
            known: Vec::new(),
            inherits: false,
            shown,
        }
    }

    /// A section within this one; empty if it is not there.
    pub(crate) fn section(&mut self, key: &str) -> Result<Section<'_>, ConfigError> {
        let (table, origin) = match self.take(key) {
            None => (Table::new(), Origin::Default),
            Some(Node { value: Value::Table(table), origin }) => (table, origin),
            Some(node) => return Err(self.wrong(key, &node, "a section")),
        };
        Ok(Section {
            path: self.name(key),
            origin,
            table,
            known: Vec::new(),
            inherits: false,
            shown: self.shown,
        })
    }

    /// This section, of which only what is written is shown: the rest is inherited.
    pub(crate) fn inheriting(mut self) -> Self {
        self.inherits = true;
        self
    }

    /// The keys that are there and were not asked for yet.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// Whether nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Keys that may be there, though nobody asked for them.
    pub(crate) fn know(&mut self, keys: &[&str]) {
        self.known.extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// Where a key was written.
    pub(crate) fn origin_of(&self, key: &str) -> Origin {
        self.table.get(key).map_or(Origin::Default, |node| node.origin.clone())
    }

    /// Where the section was written.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<Written<String>>, ConfigError> {
        self.text_shown(key, str::to_owned)
    }

    /// An address: what follows the `?` may be a key, and is not shown.
    pub(crate) fn address(&mut self, key: &str) -> Result<Option<Written<String>>, ConfigError> {
        self.text_shown(key, |text| match text.split_once('?') {
            Some((place, _)) => format!("{place}?********"),
            None => text.to_owned(),
        })
    }

    fn text_shown(
        &mut self,
        key: &str,
        shown: fn(&str) -> String,
    ) -> Result<Option<Written<String>>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let text = self.text_of(key, node)?;
        if text.value.trim().is_empty() {
            return Err(self.bad(key, &text.origin, "must not be empty; leave the key out"));
        }
        let shown = shown(&text.value);
        self.show(key, quoted(&shown), &text.origin);
        Ok(Some(text))
    }

    /// A text that is not empty, or what counts without it.
    pub(crate) fn text_or(&mut self, key: &str, default: &str) -> Result<Written<String>, ConfigError> {
        if let Some(text) = self.text(key)? {
            return Ok(text);
        }
        self.show(key, quoted(default), &Origin::Default);
        Ok(Written { value: default.to_owned(), origin: Origin::Default })
    }

    /// A text, also an empty one, or what counts without it.
    pub(crate) fn any_text_or(&mut self, key: &str, default: &str) -> Result<Written<String>, ConfigError> {
        let text = match self.take(key) {
            Some(node) => self.text_of(key, node)?,
            None => Written { value: default.to_owned(), origin: Origin::Default },
        };
        self.show(key, quoted(&text.value), &text.origin);
        Ok(text)
    }

    /// One of some words, or the first of them. The error lists them.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
        default: &str,
    ) -> Result<T, ConfigError> {
        let word = self.any_text_or(key, default)?;
        let found = words.iter().find(|(name, _)| *name == word.value).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let names: Vec<String> = words.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.bad(
                key,
                &word.origin,
                format!("is `{}`; choose {}", dmgate::escape(&word.value), names.join(", ")),
            )
        })
    }

    /// One of some words, which is there.
    pub(crate) fn one_of(&mut self, key: &str, words: &[&'static str]) -> Result<&'static str, ConfigError> {
        let words: Vec<(&str, &'static str)> = words.iter().map(|word| (*word, *word)).collect();
        self.word(key, &words, "")
    }

    /// A whole number within a range.
    pub(crate) fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, ConfigError> {
        let Some(node) = self.take(key) else {
            self.show(key, default.to_string(), &Origin::Default);
            return Ok(default);
        };
        let (Value::Whole(text) | Value::Loose(text)) = &node.value else {
            return Err(self.wrong(key, &node, "a number"));
        };
        let number = text.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            self.bad(
                key,
                &node.origin,
                format!("is `{}`; {low} to {high} are possible", dmgate::escape(text)),
            )
        })?;
        self.show(key, number.to_string(), &node.origin);
        Ok(number)
    }

    /// Yes or no; `None` if nobody said.
    pub(crate) fn flag(&mut self, key: &str, default: bool) -> Result<Written<bool>, ConfigError> {
        let Some(node) = self.take(key) else {
            self.show(key, default.to_string(), &Origin::Default);
            return Ok(Written { value: default, origin: Origin::Default });
        };
        let value = match &node.value {
            Value::Flag(flag) => *flag,
            Value::Loose(text) if text == "true" => true,
            Value::Loose(text) if text == "false" => false,
            _ => return Err(self.wrong(key, &node, "true or false")),
        };
        self.show(key, value.to_string(), &node.origin);
        Ok(Written { value, origin: node.origin })
    }

    /// A duration as people write it: `1h`, `5m`, `200ms`.
    pub(crate) fn duration(&mut self, key: &str, default: Duration) -> Result<Duration, ConfigError> {
        let Some(node) = self.take(key) else {
            self.show(key, quoted(&super::duration::write(default)), &Origin::Default);
            return Ok(default);
        };
        let text = self.text_of(key, node)?;
        let duration = super::duration::parse(&text.value).ok_or_else(|| {
            let given = dmgate::escape(&text.value);
            self.bad(
                key,
                &text.origin,
                format!("`{given}` is not a duration; write `1h`, `5m`, `30s` or `200ms`"),
            )
        })?;
        self.show(key, quoted(&text.value), &text.origin);
        Ok(duration)
    }

    /// A list of texts; a number counts as its decimal text.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<Written<String>>, ConfigError> {
        let Some(node) = self.take(key) else { return Ok(Vec::new()) };
        let items = match node.value {
            Value::List(items) => items,
            Value::Loose(text) if text.trim_start().starts_with('[') => {
                document::parse_list(&text, &node.origin)?
            }
            Value::Loose(text) => text
                .split(',')
                .filter(|item| !item.trim().is_empty())
                .map(|item| Node { value: Value::Text(item.trim().to_owned()), origin: node.origin.clone() })
                .collect(),
            _ => return Err(self.wrong(key, &node, "a list")),
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.value {
                Value::Text(value) | Value::Whole(value) => {
                    texts.push(Written { value, origin: item.origin });
                }
                _ => return Err(self.wrong(key, &item, "a list of texts")),
            }
        }
        let list: Vec<String> = texts.iter().map(|text| quoted(&text.value)).collect();
        self.show(key, format!("[{}]", list.join(", ")), &node.origin);
        Ok(texts)
    }

    /// A secret: `key`, `key_file` or `key_env`. One from the environment goes before those of the file.
    pub(crate) fn secret(&mut self, key: &str) -> Result<Option<Secret>, ConfigError> {
        let mut found = Vec::new();
        for (suffix, kind) in [("", 0), ("_file", 1), ("_env", 2)] {
            let written = format!("{key}{suffix}");
            let Some(node) = self.take(&written) else { continue };
            let text = self.text_of(&written, node)?;
            if text.value.trim().is_empty() {
                return Err(self.bad(&written, &text.origin, "must not be empty; leave the key out"));
            }
            let place = match kind {
                0 => Place::Here(text.value),
                1 => Place::File(text.origin.folder().join(text.value)),
                _ => Place::Variable(text.value),
            };
            found.push((written, Secret { key: self.name(key), origin: text.origin, place }));
        }
        if found.iter().any(|(_, secret)| secret.origin.is_environment()) {
            found.retain(|(_, secret)| secret.origin.is_environment());
        }
        match found.as_slice() {
            [] => Ok(None),
            [(written, secret)] => {
                self.show(written, secret.to_string(), &secret.origin);
                Ok(Some(secret.clone()))
            }
            [(first, _), (second, secret), ..] => {
                let what = format!("is given beside `{first}`; give only one of them");
                Err(self.bad(second, &secret.origin, what))
            }
        }
    }

    /// The end of the section: what was not asked for is unknown.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        match self.table.iter().next() {
            None => Ok(()),
            Some((key, node)) => Err(ConfigError::unknown_key(&node.origin, &self.path, key, &self.known)),
        }
    }

    /// Notes a value for `config show`.
    pub(crate) fn show(&mut self, key: &str, value: String, origin: &Origin) {
        if self.inherits && *origin == Origin::Default {
            return;
        }
        self.shown.push(Shown { key: self.name(key), value, origin: origin.clone() });
    }

    /// Trouble with a key.
    pub(crate) fn bad(&self, key: &str, origin: &Origin, what: impl std::fmt::Display) -> ConfigError {
        ConfigError::at(origin, format!("`{}` {what}", self.name(key)))
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        self.known.push(key.to_owned());
        self.table.remove(key)
    }

    fn text_of(&self, key: &str, node: Node) -> Result<Written<String>, ConfigError> {
        match node.value {
            Value::Text(value) | Value::Loose(value) => Ok(Written { value, origin: node.origin }),
            _ => Err(self.wrong(key, &node, "a text")),
        }
    }

    fn wrong(&self, key: &str, node: &Node, wanted: &str) -> ConfigError {
        self.bad(key, &node.origin, format!("must be {wanted}, not {}", node.value.kind()))
    }

    fn name(&self, key: &str) -> String {
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let key = dmgate::escape(key);
        // As TOML writes it: an account's name may have dots.
        let key = if !key.is_empty() && key.bytes().all(is_bare) { key } else { quoted(&key) };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
