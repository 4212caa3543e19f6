//! The pairing message: what a stranger reads.

use crate::channel::Known;
use crate::clock::Timestamp;
use crate::message::AccountKey;
use crate::pairing::Request;

/// The text of the pairing message, with places for what differs: `{code}`, `{id_label}`, `{sender}`,
/// `{approve_command}`, `{minutes}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyTemplate(String);

const DEFAULT: &str = "This assistant only talks to people its owner knows.\n\n\
    Your {id_label}: {sender}\n\
    Pairing code: {code}\n\n\
    Ask the owner to approve you within {minutes} minutes with:\n\
    {approve_command}\n\n\
    Then write again.";

const PLACES: [&str; 5] = ["code", "id_label", "sender", "approve_command", "minutes"];

/// Why a text can't be the pairing message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The code is not in it.
    #[error("the pairing message must hold {{code}}: without it nobody can be approved")]
    NoCode,
    /// A place that we don't know.
    #[error(
        "`{{{0}}}` is not known in the pairing message; use {{code}} {{id_label}} {{sender}} {{approve_command}} {{minutes}}"
    )]
    UnknownPlace(String),
    /// Longer than every channel takes.
    #[error("the pairing message has {0} characters; at most 1000 fit every channel")]
    TooLong(usize),
}

impl Default for ReplyTemplate {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl ReplyTemplate {
    /// Checks a text.
    ///
    /// # Errors
    /// [`ReplyError`] if the code is missing, a place is not known, or it is longer than 1,000 characters.
    pub fn parse(text: &str) -> Result<Self, ReplyError> {
        let mut rest = text;
        while let Some((place, after)) = next_place(rest) {
            if !PLACES.contains(&place) {
                return Err(ReplyError::UnknownPlace(crate::message::escape(place)));
            }
            rest = after;
        }
        let length = text.chars().count();
        match (text.contains("{code}"), length) {
            (false, _) => Err(ReplyError::NoCode),
            (true, 1_001..) => Err(ReplyError::TooLong(length)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The text for one request.
    #[must_use]
    pub fn render(&self, account: &AccountKey, request: &Request, now: Timestamp) -> String {
        let id_label = Known::of(account.channel()).map_or("id", |known| known.id_line);
        let left = request.expires_at().as_millis().saturating_sub(now.as_millis());
        // Rounded up: a code made just now works for 60 minutes.
        let minutes = (left.max(0) + 59_999) / 60_000;
        let mut text = String::with_capacity(self.0.len() + 128);
        let mut rest = self.0.as_str();
        while let Some((place, after)) = next_place(rest) {
            let before = rest.len() - after.len() - place.len() - 2;
            text.push_str(rest.get(..before).unwrap_or_default());
            match place {
                "code" => text.push_str(request.code.reveal()),
                "id_label" => text.push_str(id_label),
                "sender" => text.push_str(request.id.as_str()),
                "minutes" => text.push_str(&minutes.to_string()),
                _ => text.push_str(&approve_command(account, request.code.reveal())),
            }
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

/// What the owner types to approve a code.
fn approve_command(account: &AccountKey, code: &str) -> String {
    let named = if account.account().is_default() {
        String::new()
    } else {
        format!(" --account {}", account.account())
    };
    format!("dmgate pairing approve {} {code}{named}", account.channel())
}

/// The first `{word}` of a text, and what follows it. Braces around anything else are plain text.
fn next_place(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    loop {
        let open = rest.find('{')?;
        rest = rest.get(open + 1..)?;
        let end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_')?;
        if end > 0 && rest.as_bytes().get(end) == Some(&b'}') {
            return Some((rest.get(..end)?, rest.get(end + 1..)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pairing_message_needs_its_code() {
        assert!(ReplyTemplate::parse(DEFAULT).is_ok());
        assert_eq!(ReplyTemplate::parse("hi"), Err(ReplyError::NoCode));
        assert_eq!(ReplyTemplate::parse("{code} {cod}"), Err(ReplyError::UnknownPlace("cod".into())));
        assert!(ReplyTemplate::parse("{ } {} {1} {code}").is_ok(), "other braces are text");
        assert_eq!(
            ReplyTemplate::parse(&format!("{{code}}{}", "x".repeat(1_000))),
            Err(ReplyError::TooLong(1_006))
        );
    }
}
