//! Frames: one JSON object each, in a text message of the WebSocket.

use serde::Deserialize;
use serde_json::{Value, json};

/// What the other side asks.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// What it calls this request; the answer carries it.
    pub id: String,
    /// What is asked for.
    pub method: String,
    /// With what.
    pub params: Value,
}

/// A text that is no request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid request frame")]
pub struct NoRequest;

/// Why a request is not answered as wished.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
}

/// What kind of failure it is, as programs read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Code {
    InvalidRequest,
    NotPaired,
    Unavailable,
}

/// The longest message, in bytes, before authentication and after it.
pub(crate) const LONGEST: usize = 64 * 1_024;

/// The longest id of a request and the longest name of a method, in bytes.
const LONGEST_WORD: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "type")]
    kind: Kind,
    id: String,
    method: String,
    #[serde(default)]
    params: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Req,
}

impl Request {
    /// Reads a frame of at most 64 KiB. Nothing is in it that the protocol does not know.
    ///
    /// # Errors
    /// [`NoRequest`] if it is anything else.
    pub fn parse(text: &str) -> Result<Self, NoRequest> {
        if text.len() > LONGEST {
            return Err(NoRequest);
        }
        let Raw { kind: Kind::Req, id, method, params } =
            serde_json::from_str(text).map_err(|_| NoRequest)?;
        let is_word = |word: &str| (1..=LONGEST_WORD).contains(&word.len());
        if is_word(&id) && is_word(&method) { Ok(Self { id, method, params }) } else { Err(NoRequest) }
    }
}

impl Failure {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { code: Code::InvalidRequest, message: message.into(), details: None }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: Code::Unavailable, message: message.into(), details: None }
    }

    pub(crate) fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::NotPaired => "NOT_PAIRED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// The answer to the request of that id.
pub(crate) fn answer(id: &str, answer: Result<Value, Failure>) -> String {
    let frame = match answer {
        Ok(payload) => json!({ "type": "res", "id": id, "ok": true, "payload": payload }),
        Err(Failure { code, message, details: None }) => {
            let error = json!({ "code": code.as_str(), "message": message });
            json!({ "type": "res", "id": id, "ok": false, "error": error })
        }
        Err(Failure { code, message, details: Some(details) }) => {
            let error = json!({ "code": code.as_str(), "message": message, "details": details });
            json!({ "type": "res", "id": id, "ok": false, "error": error })
        }
    };
    frame.to_string()
}

/// Something that nobody asked for.
pub(crate) fn event(name: &str, payload: &Value) -> String {
    json!({ "type": "event", "event": name, "payload": payload }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_the_protocol_says_and_nothing_else() {
        let request =
            Request::parse(r#"{"type":"req","id":"1","method":"health","params":{"a":[1]}}"#).unwrap();
        assert_eq!((&*request.id, &*request.method), ("1", "health"));
        assert_eq!(request.params, json!({ "a": [1] }));
        assert_eq!(Request::parse(r#"{"method":"x","id":"1","type":"req"}"#).unwrap().params, Value::Null);
        for bad in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"res","id":"1","method":"x"}"#,
            r#"{"type":"req","id":1,"method":"x"}"#,
            r#"{"type":"req","id":"","method":"x"}"#,
            r#"{"type":"req","id":"1","method":""}"#,
            r#"{"type":"req","id":"1","method":"x","more":1}"#,
            r#"{"type":"req","id":"1","id":"2","method":"x"}"#,
            r#"{"type":"req","id":"1","method":"x"} {}"#,
            &format!(r#"{{"type":"req","id":"{}","method":"x"}}"#, "1".repeat(257)),
            &format!(r#"{{"type":"req","id":"1","method":"x","params":"{}"}}"#, "1".repeat(LONGEST)),
            &format!(
                r#"{{"type":"req","id":"1","method":"x","params":{}1{}}}"#,
                "[".repeat(999),
                "]".repeat(999)
            ),
        ] {
            assert_eq!(Request::parse(bad), Err(NoRequest), "{bad:.80}");
        }
    }

    #[test]
    fn frames_are_as_clients_read_them() {
        assert_eq!(
            answer("a\"b", Ok(json!({ "x": 1 }))),
            r#"{"id":"a\"b","ok":true,"payload":{"x":1},"type":"res"}"#
        );
        let failure = Failure::invalid("no").with(json!({ "code": "X" }));
        assert_eq!(
            answer("1", Err(failure)),
            r#"{"error":{"code":"INVALID_REQUEST","details":{"code":"X"},"message":"no"},"id":"1","ok":false,"type":"res"}"#
        );
        assert_eq!(
            event("tick", &json!({ "ts": 1 })),
            r#"{"event":"tick","payload":{"ts":1},"type":"event"}"#
        );
    }
}
