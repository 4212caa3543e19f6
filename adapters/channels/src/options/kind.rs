//! What an option takes.

use std::fmt;
use std::path::PathBuf;

use super::OptionValue;
use crate::Secret;

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptionKind {
    /// A text.
    String,
    /// A text that nobody should see; it may also come from a file or a variable.
    Secret,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Bool,
    /// Several texts.
    List,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// A type that an option can have.
pub(crate) trait OptionType: Sized {
    /// What the option takes.
    const KIND: OptionKind;

    /// Reads a value; the error says what is expected, never what was given.
    fn read(value: &OptionValue) -> Result<Self, String>;

    /// A default as people read it.
    fn show(&self) -> Option<String>;
}

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Secret => f.write_str("secret"),
            Self::Integer => f.write_str("integer"),
            Self::Bool => f.write_str("bool"),
            Self::List => f.write_str("list"),
            Self::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                write!(f, "one of {}", words.join(", "))
            }
        }
    }
}

impl OptionType for String {
    const KIND: OptionKind = OptionKind::String;

    fn read(value: &OptionValue) -> Result<Self, String> {
        value.text().map(str::to_owned).ok_or_else(|| "a text is expected".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl OptionType for PathBuf {
    const KIND: OptionKind = OptionKind::String;

    fn read(value: &OptionValue) -> Result<Self, String> {
        value.text().map(Self::from).ok_or_else(|| "a path is expected".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.display().to_string())
    }
}

impl OptionType for Secret {
    const KIND: OptionKind = OptionKind::Secret;

    fn read(value: &OptionValue) -> Result<Self, String> {
        value.text().map(Self::new).ok_or_else(|| "a secret is expected".to_owned())
    }

    fn show(&self) -> Option<String> {
        None
    }
}

impl OptionType for u16 {
    const KIND: OptionKind = OptionKind::Integer;

    fn read(value: &OptionValue) -> Result<Self, String> {
        let number = value.integer().and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| format!("a whole number up to {} is expected", Self::MAX))
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl OptionType for bool {
    const KIND: OptionKind = OptionKind::Bool;

    fn read(value: &OptionValue) -> Result<Self, String> {
        value.bool().ok_or_else(|| "`true` or `false` is expected".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl OptionType for Vec<String> {
    const KIND: OptionKind = OptionKind::List;

    fn read(value: &OptionValue) -> Result<Self, String> {
        value.list().ok_or_else(|| "a list of texts is expected".to_owned())
    }

    fn show(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.join(", "))
    }
}

impl<T: OptionType> OptionType for Option<T> {
    const KIND: OptionKind = T::KIND;

    fn read(value: &OptionValue) -> Result<Self, String> {
        T::read(value).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

/// Declares an option that is one of a few words.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        $vis enum $name { $( $(#[doc = $doc])+ $variant, )+ }

        impl $crate::options::OptionType for $name {
            const KIND: $crate::options::OptionKind = $crate::options::OptionKind::OneOf(&[$($word),+]);

            fn read(value: &$crate::options::OptionValue) -> Result<Self, String> {
                match value.text() {
                    $( Some($word) => Ok(Self::$variant), )+
                    _ => Err(format!("{} is expected", <Self as $crate::options::OptionType>::KIND)),
                }
            }

            fn show(&self) -> Option<String> {
                Some(match self { $( Self::$variant => $word, )+ }.to_owned())
            }
        }
    };
}

pub(crate) use choice;
