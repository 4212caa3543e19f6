//! What an agent in any language reads and writes: one JSON object a turn, each way.

use dmgate::{AgentError, Conversation, Entropy, InboundMessage, OsEntropy, Turn};
use serde::{Deserialize, Serialize};

/// One admitted message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    /// The same for every try of the same turn.
    id: &'a str,
    channel: &'a str,
    account: &'a str,
    sender: &'a str,
    name: Option<&'a str>,
    text: &'a str,
    message_id: Option<&'a str>,
    conversation: &'static str,
    attachments: Vec<Attachment<'a>>,
    /// Why the sender is in: `allowlisted` or `open`.
    reason: &'static str,
}

/// Something that came with a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment<'a> {
    kind: &'a str,
    media_type: Option<&'a str>,
    name: Option<&'a str>,
    size: Option<u64>,
}

/// What an agent says.
#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    reply: Option<String>,
    #[serde(default)]
    replies: Vec<String>,
}

/// A turn as one line of JSON, and its id.
pub(super) fn question(turn: &Turn) -> Result<(String, String), AgentError> {
    let message = turn.message();
    let id = turn_id(message)?;
    let question = Question {
        id: &id,
        channel: message.account.channel().as_str(),
        account: message.account.account().as_str(),
        sender: message.sender.primary().as_str(),
        name: message.sender.name(),
        text: &message.text,
        message_id: message.message_id.as_deref(),
        conversation: match message.conversation {
            Conversation::Direct => "direct",
            Conversation::Group => "group",
            Conversation::Unknown => "unknown",
        },
        attachments: message
            .attachments
            .iter()
            .map(|attachment| Attachment {
                kind: &attachment.kind,
                media_type: attachment.media_type.as_deref(),
                name: attachment.name.as_deref(),
                size: attachment.size,
            })
            .collect(),
        reason: turn.permit().reason().as_str(),
    };
    let line = serde_json::to_string(&question)
        .map_err(|error| AgentError(format!("the message can't be written as JSON: {error}")))?;
    Ok((one_line(line), id))
}

/// JSON that is one line to every reader. Some (of Java, of Python) end a line at these letters as well, and would take
/// what a sender wrote behind one for a turn of its own, with a sender and words of its own.
fn one_line(json: String) -> String {
    let ends = [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    ends.into_iter().fold(json, |json, (letter, escaped)| json.replace(letter, escaped))
}

/// What an agent said, to the turn `id`. Nothing but blanks is no answer.
pub(super) fn answer(text: &[u8], id: &str) -> Result<Vec<String>, AgentError> {
    if text.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    // The text itself stays out of the log: it is part of a conversation.
    let answer: Answer = serde_json::from_slice(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        AgentError(format!(
            "the agent's answer is not the JSON that is expected ({place}); write {{\"reply\": \"text\"}}"
        ))
    })?;
    if answer.id.is_some_and(|other| other != id) {
        return Err(AgentError("the agent answered another turn than the one it was asked".to_owned()));
    }
    let replies = answer.reply.into_iter().chain(answer.replies);
    Ok(replies.filter(|reply| !reply.trim().is_empty()).collect())
}

/// The same for the same message, so that a server can drop the second of two tries; drawn where the platform gave the
/// message no id.
fn turn_id(message: &InboundMessage) -> Result<String, AgentError> {
    use sha2::{Digest, Sha256};
    let Some(id) = &message.message_id else {
        let mut bytes = [0_u8; 16];
        OsEntropy.fill(&mut bytes).map_err(|error| AgentError(error.to_string()))?;
        return Ok(hex::encode(bytes));
    };
    let mut hash = Sha256::new();
    for part in [message.account.to_string().as_str(), message.sender.primary().as_str(), id] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    Ok(hex::encode(hash.finalize().get(..16).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_one_of_a_few_shapes() {
        let said = |text: &str| answer(text.as_bytes(), "7").map_err(|error| error.to_string());
        assert_eq!(said(r#"{"reply":"a"}"#), Ok(vec!["a".into()]));
        assert_eq!(said(r#"{"replies":["a","b"],"more":1}"#), Ok(vec!["a".into(), "b".into()]));
        for nothing in ["", " \n", "{}", r#"{"reply":null}"#, r#"{"reply":" "}"#, r#"{"replies":[]}"#] {
            assert_eq!(said(nothing), Ok(Vec::new()), "{nothing:?}");
        }
        assert_eq!(said(r#"{"id":"7","reply":"a"}"#), Ok(vec!["a".into()]));
        assert!(said(r#"{"id":"8","reply":"a"}"#).unwrap_err().contains("another turn"));
        for bad in ["hello", "[]", r#"{"reply":1}"#, r#"{"reply":"a"} x"#, "\"a\"", "\u{feff}{}"] {
            let error = said(bad).unwrap_err();
            assert!(error.contains("write {\"reply\"") && !error.contains("hello"), "{bad}: {error}");
        }
    }
}
