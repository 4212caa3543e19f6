//! Why a configuration is refused: one line that names the place and says what to do.

use super::node::Origin;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{what}")]
pub(crate) struct ConfigError {
    place: String,
    what: String,
}

impl ConfigError {
    /// Trouble at a value.
    pub(crate) fn at(origin: &Origin, what: impl Into<String>) -> Self {
        let place = match origin {
            Origin::Default => String::new(),
            Origin::File { .. } | Origin::Environment(_) => format!("{origin}: "),
        };
        Self { place, what: what.into() }
    }

    /// Trouble that no single value stands for.
    pub(crate) fn general(what: impl Into<String>) -> Self {
        Self { place: String::new(), what: what.into() }
    }

    /// A key that is not known, and the nearest one that is.
    pub(crate) fn unknown_key(origin: &Origin, path: &str, key: &str, known: &[String]) -> Self {
        let key = dmgate::escape(key);
        let whole = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let mut what = format!("unknown key `{whole}`");
        if let Some((near, likely)) = nearest(&key, known) {
            what.push_str(&match likely {
                true => format!("; did you mean `{near}`?"),
                false => format!("; the nearest known key is `{near}`"),
            });
        }
        Self::at(origin, what)
    }
}

/// The word that looks most like `word`, and whether it is likely to be meant.
pub(crate) fn nearest<'a>(word: &str, known: &'a [String]) -> Option<(&'a str, bool)> {
    let word = word.to_lowercase();
    let scored = known.iter().map(|other| (strsim::damerau_levenshtein(&word, other), other));
    let (distance, other) = scored.min_by_key(|(distance, _)| *distance)?;
    Some((other, distance <= 1 + other.chars().count() / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        let known = ["dm_policy", "allow_from", "token"].map(String::from);
        assert_eq!(nearest("dm_polcy", &known), Some(("dm_policy", true)));
        assert_eq!(nearest("Allowfrom", &known), Some(("allow_from", true)));
        assert_eq!(nearest("tokne", &known), Some(("token", true)));
        assert!(!nearest("zebra", &known).unwrap().1);
        let error = ConfigError::unknown_key(&Origin::Default, "channels.telegram", "tokne", &known);
        assert_eq!(error.to_string(), "unknown key `channels.telegram.tokne`; did you mean `token`?");
    }
}
