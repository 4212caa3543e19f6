//! What a channel is told: options by name, read into each channel's own `Config`.
//!
//! A channel has a plain `Config`, a table of its options (`OPTIONS`), which the command line prints and checks, and
//! `Config::from_options`, which reads what is given.

mod value;

use std::collections::BTreeMap;
use std::fmt;

pub use value::OptionValue;

use crate::secret::Secret;

/// One option of a channel.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its key in the configuration.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// When a channel can't do without.
    pub need: Need,
    /// What counts when it is not given, as people write it.
    pub default: Option<&'static str>,
    /// What it is for: a sentence.
    pub doc: &'static str,
}

/// When a channel can't do without an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Whatever else is given.
    Always,
    /// Unless another option chooses another way.
    ByDefault,
    /// It may be left out, or is of another way than the default one.
    Never,
}

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

/// Options as they are given. Secrets are among them, so it shows nothing of itself.
#[derive(Clone, Default)]
pub struct Options(BTreeMap<String, OptionValue>);

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

impl OptionSpec {
    /// An option that a channel can't do without.
    pub(crate) const fn required(name: &'static str, kind: OptionKind, doc: &'static str) -> Self {
        Self { name, kind, need: Need::Always, default: None, doc }
    }

    /// An option that may be left out.
    pub(crate) const fn optional(name: &'static str, kind: OptionKind, doc: &'static str) -> Self {
        Self { name, kind, need: Need::Never, default: None, doc }
    }

    /// The same, with what counts when it is left out.
    pub(crate) const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same, for a channel that can't do without as long as the owner chooses no other way.
    pub(crate) const fn by_default(self) -> Self {
        Self { need: Need::ByDefault, ..self }
    }

    /// That it is missing.
    pub(crate) fn missing(&self) -> ConfigError {
        ConfigError::Missing { name: self.name, doc: self.doc }
    }
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

    /// Finds options that are not in `table`.
    pub(crate) fn check(&self, table: &'static [OptionSpec]) -> Result<(), ConfigError> {
        match self.0.keys().find(|name| !table.iter().any(|spec| spec.name == **name)) {
            None => Ok(()),
            Some(name) => Err(ConfigError::Unknown {
                name: dmgate::escape(name),
                nearest: nearest(name, table.iter().map(|spec| spec.name)),
            }),
        }
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        self.read(name, |value| value.text().map(str::to_owned), || "a text is expected".to_owned())
    }

    pub(crate) fn secret(&self, name: &'static str) -> Result<Option<Secret>, ConfigError> {
        self.read(name, |value| value.text().map(Secret::new), || "a secret is expected".to_owned())
    }

    pub(crate) fn bool(&self, name: &'static str) -> Result<Option<bool>, ConfigError> {
        self.read(name, OptionValue::bool, || "`true` or `false` is expected".to_owned())
    }

    pub(crate) fn port(&self, name: &'static str) -> Result<Option<u16>, ConfigError> {
        let port = |value: &OptionValue| value.integer().and_then(|number| u16::try_from(number).ok());
        self.read(name, port, || format!("a whole number up to {} is expected", u16::MAX))
    }

    /// Several texts; as one text, they are separated by commas.
    pub(crate) fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        self.read(name, OptionValue::list, || "a list of texts is expected".to_owned())
    }

    pub(crate) fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let known = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.read(
            name,
            |value| value.text().and_then(known),
            || format!("{} is expected", one_of(words.iter().map(|(word, _)| *word))),
        )
    }

    /// An option, if it is given; `expected` says what would do, never what was given.
    fn read<T>(
        &self,
        name: &'static str,
        read: impl Fn(&OptionValue) -> Option<T>,
        expected: impl Fn() -> String,
    ) -> Result<Option<T>, ConfigError> {
        let read = |value| read(value).ok_or_else(|| ConfigError::Invalid { name, reason: expected() });
        self.0.get(name).map(read).transpose()
    }
}

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Secret => f.write_str("secret"),
            Self::Integer => f.write_str("integer"),
            Self::Bool => f.write_str("bool"),
            Self::List => f.write_str("list"),
            Self::OneOf(words) => f.write_str(&one_of(words.iter().copied())),
        }
    }
}

fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
}

/// The name that is probably meant by `typed`: the nearest one, if it is near.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = (typed.chars().count() / 3).max(1);
    names
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const WORDS: [(&str, u8); 2] = [("cold", 1), ("hot", 2)];

    const TABLE: &[OptionSpec] = &[
        OptionSpec::required("key", OptionKind::Secret, "Opens the lid."),
        OptionSpec::optional("warmth", OptionKind::OneOf(&["cold", "hot"]), "How warm it gets.").or("hot"),
    ];

    /// What holds of every channel's table: each option in it is explained and read, its words are the ones that are
    /// read, and its defaults are those that count. `needed` gives what can't be left out.
    pub(crate) fn check_table<C: PartialEq>(
        table: &'static [OptionSpec],
        needed: &Options,
        from_options: fn(&Options) -> Result<C, ConfigError>,
    ) {
        let read = |options: &Options| from_options(options).unwrap_or_else(|error| panic!("{error}"));
        let mut all = needed.clone();
        for spec in table {
            let name = spec.name;
            assert!(spec.doc.ends_with('.'), "{name}");
            if spec.need == Need::Always {
                let mut without = needed.clone();
                without.0.remove(name);
                assert_eq!(from_options(&without).err(), Some(spec.missing()));
            }
            let refused = from_options(&needed.clone().with(name, " ")).err();
            let is_read = matches!(refused, Some(ConfigError::Invalid { name: read, .. }) if read == name);
            assert!(is_read, "`{name}` is in the table and is not read");
            if let OptionKind::OneOf(words) = spec.kind {
                words.iter().for_each(|word| drop(read(&needed.clone().with(name, *word))));
            }
            if let Some(default) = spec.default {
                all.set(name, default);
            }
        }
        assert!(read(&all) == read(needed), "the table's defaults are not those that count");
    }

    #[test]
    fn text_does_for_every_kind_since_the_environment_has_nothing_else() {
        let options = Options::new().with("port", "4").with("tls", "false").with("warmth", "cold");
        assert_eq!(options.port("port"), Ok(Some(4)));
        assert_eq!(options.bool("tls"), Ok(Some(false)));
        assert_eq!(options.word("warmth", &WORDS), Ok(Some(1)));
        let options = Options::new().with("port", 4).with("tls", false);
        assert_eq!((options.port("port"), options.bool("tls")), (Ok(Some(4)), Ok(Some(false))));
        assert_eq!(options.text("name"), Ok(None));
        let list = |value: OptionValue| Options::new().with("x", value).list("x").ok().flatten();
        assert_eq!(list("wss://a, wss://b,".into()), Some(vec!["wss://a".to_owned(), "wss://b".to_owned()]));
        assert_eq!(list(vec!["a,b".to_owned()].into()), Some(vec!["a,b".to_owned()]));
        for wrong in
            [" ".into(), ",".into(), OptionValue::List(Vec::new()), vec![" ".to_owned()].into(), 1.into()]
        {
            assert_eq!(list(wrong), None);
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_its_value_is_not_shown() {
        let told = |error: ConfigError| error.to_string();
        let check = |options: Options| options.check(TABLE).map_err(told).err().unwrap_or_default();
        assert_eq!(TABLE[0].missing().to_string(), "`key` is missing: Opens the lid.");
        let with = |name: &str| check(Options::new().with(name, "x"));
        assert_eq!(with("wamrth"), "`wamrth` is not an option here; did you mean `warmth`?");
        assert_eq!(with("nonsense"), "`nonsense` is not an option here");
        assert_eq!(with("warmth"), "");
        let given = |value: OptionValue| Options::new().with("x", value);
        let secret = given("s3cret".into()).word("x", &WORDS).map_err(told);
        assert_eq!(secret, Err("`x`: one of `cold`, `hot` is expected".to_owned()));
        let port = given(70_000.into()).port("x").map_err(told);
        assert_eq!(port, Err("`x`: a whole number up to 65535 is expected".to_owned()));
        let flag = given(1.into()).bool("x").map_err(told);
        assert_eq!(flag, Err("`x`: `true` or `false` is expected".to_owned()));
        assert_eq!(given(" ".into()).text("x").map_err(told), Err("`x`: a text is expected".to_owned()));
        for wrong in ["".into(), true.into()] {
            let secret = given(wrong).secret("x").map_err(told).err();
            assert_eq!(secret.as_deref(), Some("`x`: a secret is expected"));
        }
    }

    #[test]
    fn a_name_far_from_all_others_is_like_none() {
        let nearest = |typed, names: [&'static str; 2]| nearest(typed, names.into_iter());
        assert_eq!(nearest("tokne", ["token", "mode"]), Some("token"));
        assert_eq!(nearest("Token", ["token", "mode"]), Some("token"));
        assert_eq!(nearest("webhook_secert", ["mode", "webhook_secret"]), Some("webhook_secret"));
        assert_eq!(nearest("x", ["token", "mode"]), None);
        assert_eq!(nearest("", ["token", "mode"]), None);
    }
}
