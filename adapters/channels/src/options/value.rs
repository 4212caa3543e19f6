//! The value of an option as it is given.

/// A value as a configuration file has it, or a text from the environment that stands for one. It may be a secret, so
/// it shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// A text; also a number, `true` or `false`, a list, where such a thing is expected.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
    /// Several texts.
    List(Vec<String>),
}

impl OptionValue {
    /// A text that is not blank.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Texts of which none is blank, at least one.
    pub(crate) fn list(&self) -> Option<Vec<String>> {
        let list: Vec<String> = match self {
            Self::List(list) => list.clone(),
            // As it stands in a file.
            Self::Text(text) if text.trim_start().starts_with('[') => serde_json::from_str(text).ok()?,
            Self::Text(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(str::to_owned).collect()
            }
            Self::Integer(_) | Self::Bool(_) => return None,
        };
        let is_blank = list.is_empty() || list.iter().any(|text| text.trim().is_empty());
        (!is_blank).then_some(list)
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl From<&str> for OptionValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for OptionValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for OptionValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for OptionValue {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<Vec<String>> for OptionValue {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}
