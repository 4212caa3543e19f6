//! What a channel is told: options by name, read into each channel's own `Config`.
//!
//! A channel declares its options once, with the `config!` macro: the struct that Rust programs fill, the table that
//! the command line prints and checks, and the way from one to the other.

mod kind;
mod value;

use std::collections::BTreeMap;

pub use kind::OptionKind;
pub(crate) use kind::{OptionType, choice};
pub use value::OptionValue;

/// One option of a channel.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its key in the configuration.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// Whether a channel can't do without.
    pub required: bool,
    /// What it is when it is not given, as text.
    pub default: fn() -> Option<String>,
    /// What it is for.
    pub doc: &'static str,
}

/// Options as they are given. Secrets are among them, so it shows nothing of itself.
#[derive(Clone, Default)]
pub struct Options(BTreeMap<String, OptionValue>);

/// A channel's `Config`: what it takes, and how it is read from options.
pub trait FromOptions: Sized {
    /// Everything it takes, in the order in which people should meet it.
    const OPTIONS: &'static [OptionSpec];

    /// Reads the options. Those that are not given have their defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    fn from_options(options: &Options) -> Result<Self, ConfigError>;
}

/// Why a channel can't be set up as it is told. No value is shown: it may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An option that the channel does not have.
    #[error("`{name}` is not an option here{}", nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The option, escaped.
        name: String,
        /// The one that is probably meant.
        nearest: Option<&'static str>,
    },
    /// An option that is not given and has no default.
    #[error("`{name}` is missing: {doc}")]
    Missing {
        /// The option.
        name: &'static str,
        /// What it is for.
        doc: &'static str,
    },
    /// A value that won't do.
    #[error("`{name}`: {reason}")]
    Invalid {
        /// The option.
        name: &'static str,
        /// What is wrong, and what would do.
        reason: String,
    },
    /// Something around the channel that is not as it must be.
    #[error("{0}")]
    Setup(String),
}

impl Options {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one option more; of two values for one option the later one counts.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<OptionValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Gives one option; of two values for one option the later one counts.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<OptionValue>) {
        self.0.insert(name.into(), value.into());
    }

    /// Finds options that are not in `known`.
    pub(crate) fn check(&self, known: &'static [OptionSpec]) -> Result<(), ConfigError> {
        match self.0.keys().find(|name| !known.iter().any(|spec| spec.name == **name)) {
            None => Ok(()),
            Some(name) => Err(ConfigError::Unknown {
                name: dmgate::escape(name),
                nearest: nearest(name, known.iter().map(|spec| spec.name)),
            }),
        }
    }

    pub(crate) fn optional<T: OptionType>(&self, name: &'static str) -> Result<Option<T>, ConfigError> {
        let read = |value| T::read(value).map_err(|reason| ConfigError::Invalid { name, reason });
        self.0.get(name).map(read).transpose()
    }

    pub(crate) fn required<T: OptionType>(
        &self,
        name: &'static str,
        doc: &'static str,
    ) -> Result<T, ConfigError> {
        self.optional(name)?.ok_or(ConfigError::Missing { name, doc })
    }
}

/// The name that is probably meant by `typed`: the nearest one, if it is near.
#[must_use]
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = (typed.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Declares a channel's `Config`: first what it can't do without, then, after `optional:`, what has a default.
macro_rules! config {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident : $type:ty, )*
            optional:
            $( $(#[doc = $more_doc:literal])+ $more:ident : $more_type:ty = $default:expr, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])+ $vis $field: $type, )*
            $( $(#[doc = $more_doc])+ $vis $more: $more_type, )*
        }

        impl $name {
            /// What can't be left out, and the defaults of everything else.
            #[must_use]
            $vis fn new($($field: $type),*) -> Self {
                Self { $($field,)* $($more: $default,)* }
            }
        }

        impl $crate::options::FromOptions for $name {
            const OPTIONS: &'static [$crate::options::OptionSpec] = &[
                $( $crate::options::OptionSpec {
                    name: stringify!($field),
                    kind: <$type as $crate::options::OptionType>::KIND,
                    required: true,
                    default: || None,
                    doc: concat!($($doc),+).trim_ascii(),
                }, )*
                $( $crate::options::OptionSpec {
                    name: stringify!($more),
                    kind: <$more_type as $crate::options::OptionType>::KIND,
                    required: false,
                    default: || {
                        let default: $more_type = $default;
                        $crate::options::OptionType::show(&default)
                    },
                    doc: concat!($($more_doc),+).trim_ascii(),
                }, )*
            ];

            fn from_options(
                options: &$crate::options::Options,
            ) -> Result<Self, $crate::options::ConfigError> {
                options.check(Self::OPTIONS)?;
                Ok(Self {
                    $( $field: options.required(stringify!($field), concat!($($doc),+).trim_ascii())?, )*
                    $( $more: options.optional(stringify!($more))?.unwrap_or_else(|| $default), )*
                })
            }
        }
    };
}

pub(crate) use config;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    choice! {
        /// How warm.
        enum Warmth {
            /// Not at all.
            Cold = "cold",
            /// Very.
            Hot = "hot",
        }
    }

    config! {
        /// A kettle.
        struct Kettle {
            /// Opens the lid.
            key: Secret,
            optional:
            /// How warm
            /// the water gets.
            warmth: Warmth = Warmth::Hot,
            /// How many cups.
            cups: u16 = 2,
            /// Whether it whistles.
            whistle: bool = true,
            /// Whose it is.
            owners: Vec<String> = Vec::new(),
            /// What is written on it.
            label: Option<String> = None,
        }
    }

    fn refusal(options: &Options) -> String {
        Kettle::from_options(options).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_given_is_read_and_the_rest_has_its_default() {
        let options = Options::new()
            .with("key", "k")
            .with("warmth", "cold")
            .with("cups", 3)
            .with("owners", vec!["ann".to_owned()]);
        let kettle = Kettle::from_options(&options).ok().unwrap();
        assert_eq!((kettle.key.reveal(), kettle.cups, kettle.whistle), ("k", 3, true));
        assert!(kettle.warmth == Warmth::Cold && kettle.label.is_none());
        assert_eq!(kettle.owners, ["ann"]);
        assert!(Kettle::new(Secret::new("k")).warmth == Warmth::Hot);
    }

    #[test]
    fn text_does_for_every_kind_since_the_environment_has_nothing_else() {
        let options =
            Options::new().with("key", "k").with("cups", "4").with("whistle", "false").with("owners", "a, b");
        let kettle = Kettle::from_options(&options).ok().unwrap();
        assert_eq!((kettle.cups, kettle.whistle), (4, false));
        assert_eq!(kettle.owners, ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named_and_its_value_is_not_shown() {
        let with = |name: &str, value: OptionValue| Options::new().with("key", "k").with(name, value);
        assert_eq!(refusal(&Options::new()), "`key` is missing: Opens the lid.");
        assert_eq!(
            refusal(&with("wamrth", "x".into())),
            "`wamrth` is not an option here; did you mean `warmth`?"
        );
        assert_eq!(refusal(&with("nonsense", "x".into())), "`nonsense` is not an option here");
        assert_eq!(refusal(&with("warmth", "s3cret".into())), "`warmth`: one of `cold`, `hot` is expected");
        assert_eq!(refusal(&with("cups", 70_000.into())), "`cups`: a whole number up to 65535 is expected");
        assert_eq!(refusal(&with("whistle", 1.into())), "`whistle`: `true` or `false` is expected");
        assert_eq!(refusal(&with("label", " ".into())), "`label`: a text is expected");
        assert_eq!(refusal(&with("key", "".into())), "`key`: a secret is expected");
        assert_eq!(refusal(&with("key", true.into())), "`key`: a secret is expected");
    }

    #[test]
    fn the_table_says_what_there_is() {
        let table: Vec<_> = Kettle::OPTIONS
            .iter()
            .map(|spec| (spec.name, spec.kind.to_string(), spec.required, (spec.default)()))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            table,
            [
                ("key", "secret".to_owned(), true, None),
                ("warmth", "one of `cold`, `hot`".to_owned(), false, text("hot")),
                ("cups", "integer".to_owned(), false, text("2")),
                ("whistle", "bool".to_owned(), false, text("true")),
                ("owners", "list".to_owned(), false, None),
                ("label", "string".to_owned(), false, None),
            ]
        );
        assert_eq!(Kettle::OPTIONS[1].doc, "How warm the water gets.");
    }

    #[test]
    fn a_name_far_from_all_others_is_like_none() {
        assert_eq!(nearest("tokne", ["token", "mode"]), Some("token"));
        assert_eq!(nearest("Token", ["token", "mode"]), Some("token"));
        assert_eq!(nearest("webhook_secert", ["mode", "webhook_secret"]), Some("webhook_secret"));
        assert_eq!(nearest("x", ["token", "mode"]), None);
        assert_eq!(nearest("", ["token"]), None);
    }
}
