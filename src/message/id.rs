//! Ids: they can only be built valid and in their one canonical form.

use std::fmt;

use smol_str::SmolStr;

use crate::channel::Known;

/// A chat platform, as `telegram`: lower-case ASCII, `[a-z][a-z0-9_]{0,63}`, or a known channel with `-`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(SmolStr);

/// A stable id of a sender on a platform: 1 to 256 bytes, no control or bidi characters, in the form in which the
/// channel's ids are written in the shared files.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderId(SmolStr);

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing, or nothing but blanks.
    #[error("an id must not be empty")]
    Empty,
    /// More bytes than an id may have.
    #[error("an id has at most {limit} bytes, this one has {length}")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A control, bidi or invisible character.
    #[error("an id must not hold the character U+{0:04X}; type the plain id")]
    Character(u32),
    /// `*`, which would mean everyone.
    #[error("`*` is no sender; to let everyone in, say dm_policy `open` with `*` in allow_from")]
    Star,
    /// Blanks around it.
    #[error("an id must not begin or end with a blank")]
    Blank,
    /// Not what the channel's ids look like.
    #[error("`{id}` is not an id of `{channel}`: {expected}")]
    Form {
        /// The channel.
        channel: String,
        /// What was given, escaped.
        id: String,
        /// What an id of the channel looks like.
        expected: &'static str,
    },
    /// Not a channel name.
    #[error(
        "`{0}` is not a channel: a channel is a lower-case word of letters, digits and `_`, as `telegram`; only known \
         channels have a `-`"
    )]
    Channel(String),
    /// Not an account id.
    #[error("`{0}` is not an account id: use 1 to 64 of the characters a-z 0-9 . _ @ - and no `..`")]
    Account(String),
    /// Two names that would share a file on disk.
    #[error(
        "account `{account}` of `{channel}` would share its file with channel `{other}`; choose another name"
    )]
    Collision {
        /// The channel.
        channel: String,
        /// The account.
        account: String,
        /// The channel whose file it is.
        other: String,
    },
}

// === impl ChannelId ===

impl ChannelId {
    /// Parses a channel name; blanks around it and upper case are forgiven.
    ///
    /// Only the known channels have a `-` in their names: so that `<channel>-<account>` in a file name is read in one
    /// way, in every process.
    ///
    /// # Errors
    /// [`IdError::Channel`] for anything that is not a plain word.
    // INVARIANT I8: a file name belongs to one account.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let name = text.trim().to_ascii_lowercase();
        let mut letters = name.bytes();
        let head = letters.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let tail =
            letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
        let is_word = head && tail && name.len() <= 64;
        let is_known = Known::all().any(|known| known.name == name);
        if is_word && (is_known || !name.contains('-')) {
            Ok(Self(name.into()))
        } else {
            Err(IdError::Channel(escape(text)))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl SenderId ===

impl SenderId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// An id as the platform itself gives it. Nothing is stripped from it, so no id can pose as another.
    ///
    /// # Errors
    /// [`IdError`] if it is empty, over-long, holds control, bidi or invisible characters, is not in the channel's form, or
    /// begins with a prefix that is stripped from entries.
    // INVARIANT I15: ids are compared whole, in one canonical form; no prefix, suffix, glob or case trick matches.
    pub fn parse(channel: &ChannelId, id: &str) -> Result<Self, IdError> {
        check_text(id)?;
        let Some(known) = Known::of(channel) else { return Ok(Self(id.into())) };
        // Files are read as people type: an id that begins with a prefix would come back from one as somebody else's.
        match known.canonical(id).filter(|canonical| known.strip(canonical) == *canonical) {
            Some(canonical) => Ok(Self(canonical.as_ref().into())),
            None => {
                let expected = known.expected();
                Err(IdError::Form { channel: channel.to_string(), id: escape(id), expected })
            }
        }
    }

    /// An id as people type it and as files hold it: the established prefixes (`tg:`, `user:` …) are stripped first.
    ///
    /// # Errors
    /// As [`SenderId::parse`].
    pub fn parse_entry(channel: &ChannelId, text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        check_text(text)?;
        match Known::of(channel) {
            None => Self::parse(channel, text),
            Some(known) => Self::parse(channel, &known.strip(text)),
        }
    }

    /// An id that our own record holds: it was parsed before it was written.
    pub(crate) fn from_record(text: &str) -> Option<Self> {
        check_text(text).is_ok().then(|| Self(text.into()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Escapes what strangers chose, for errors and listings: one line, no control, bidi or invisible characters. What is
/// longer than any id is cut; an id is shown whole, lest two of them look the same to who approves.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, letter) in text.chars().enumerate() {
        if count == SenderId::MAX_BYTES {
            out.push('…');
            break;
        }
        if is_unprintable(letter) { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

fn check_text(id: &str) -> Result<(), IdError> {
    if id.trim().is_empty() {
        return Err(IdError::Empty);
    }
    if id.len() > SenderId::MAX_BYTES {
        return Err(IdError::TooLong { length: id.len(), limit: SenderId::MAX_BYTES });
    }
    // Nearly all ids are of letters and digits, and those are fine wherever they stand.
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    // Variation selectors are part of many people's emoji, and of nobody's id.
    let is_unseen = |letter: &char| is_unprintable(*letter) || matches!(letter, '\u{fe00}'..='\u{fe0f}');
    if let Some(letter) = id.chars().find(is_unseen) {
        return Err(IdError::Character(letter.into()));
    }
    // INVARIANT I15: `*` in a stored list never counts, nor is it ever a sender.
    if id.trim() == "*" {
        return Err(IdError::Star);
    }
    if id.trim() != id { Err(IdError::Blank) } else { Ok(()) }
}

/// Control characters, bidi controls (UAX #9), line separators, and what programs show as nothing (Unicode's
/// Default_Ignorable_Code_Point without the variation selectors of emoji), or as a blank that is a letter.
fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelId {
        ChannelId::parse(name).unwrap()
    }

    #[test]
    fn i15_ids_hold_nothing_invisible() {
        let custom = channel("custom");
        for bad in
            ["", " ", "a\u{0}", "a\nb", "\u{202e}abc", "a\u{200b}", " a", "a ", "a\u{feff}", "\u{2066}x"]
                .into_iter()
                .chain(["a\u{fe0f}", "a\u{3164}b", "a\u{34f}", "a\u{e0100}", "\u{2800}a", "a\u{115f}b"])
        {
            assert!(SenderId::parse(&custom, bad).is_err(), "{bad:?}");
        }
        assert!(SenderId::parse(&custom, &"x".repeat(256)).is_ok());
        assert_eq!(
            SenderId::parse(&custom, &"x".repeat(257)),
            Err(IdError::TooLong { length: 257, limit: 256 })
        );
        assert!(SenderId::parse(&custom, &"é".repeat(129)).is_err(), "the limit is in bytes");
    }

    #[test]
    fn channels_are_plain_words() {
        assert_eq!(channel(" Telegram ").as_str(), "telegram");
        for bad in ["", "1a", "-a", "a b", "a/b", "..", "ä", &"x".repeat(65)] {
            assert!(ChannelId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_strangers_chose_is_escaped() {
        assert_eq!(escape("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(escape("❤\u{fe0f}\u{3164}"), "❤\u{fe0f}\\u{3164}", "a heart is a heart");
        assert_eq!(escape(&"x".repeat(256)), "x".repeat(256), "an id is shown whole");
        assert_eq!(escape(&"x".repeat(300)).chars().count(), 257);
    }
}
