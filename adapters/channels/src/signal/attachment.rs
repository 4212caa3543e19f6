//! Files that came with messages: the daemon has them, and gives them as base64 within an answer.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::{AttachmentFile, FetchError, SenderId};
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::api::{Daemon, DaemonError};

/// How long the next piece may take.
const PIECE: Duration = Duration::from_secs(30);

/// How far into an answer the file begins at last.
const HEAD: usize = 4 * 1024;

/// What stands before the file.
const BEGIN: &[u8] = b"\"data\":\"";

/// Reads the file out of an answer as it comes.
#[derive(Default)]
struct Base64 {
    /// What was read and not yet made bytes of.
    read: Vec<u8>,
    is_begun: bool,
    is_over: bool,
}

/// That an answer holds no file.
#[derive(Debug, PartialEq, Eq)]
struct NoFile;

/// Fetches a file that `sender` sent.
pub(super) async fn fetch(
    daemon: &Daemon,
    sender: &SenderId,
    reference: &str,
    limit: u64,
    file: &mut AttachmentFile,
) -> Result<u64, FetchError> {
    let failed = |reason: String| FetchError::Failed(reason);
    let (method, params) = call(sender, reference).ok_or(FetchError::Unsupported)?;
    let request = daemon.for_account(method, params).map_err(|error| failed(error.to_string()))?;
    let answer = daemon.stream(request).await;
    let mut answer = answer.map_err(|error| failed(DaemonError::Api(error).to_string()))?;
    let (mut base64, mut written) = (Base64::default(), 0_u64);
    let none = |_| failed("signal-cli does not have it".to_owned());
    while !base64.is_over {
        let silent = |_| failed("signal-cli gave it up half-way".to_owned());
        let chunk = timeout(PIECE, answer.chunk()).await.map_err(silent)?;
        let chunk = chunk.map_err(|error| failed(format!("signal-cli hung up: {error:?}")))?;
        let chunk = chunk.ok_or_else(|| none(NoFile))?;
        let bytes = base64.feed(&chunk).map_err(none)?;
        written = written.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if written > limit {
            return Err(FetchError::TooLarge(limit));
        }
        let unwritten = |error: std::io::Error| failed(format!("what came can't be written: {error}"));
        file.write_all(&bytes).await.map_err(unwritten)?;
    }
    file.flush().await.map_err(|error| failed(format!("what came can't be written: {error}")))?;
    Ok(written)
}

/// How the daemon is asked for it. What is told of contacts is wholly in the reference.
fn call(sender: &SenderId, reference: &str) -> Option<(&'static str, Map<String, Value>)> {
    let is_plain = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+=".contains(&byte);
        !text.is_empty() && !text.contains("..") && text.bytes().all(plain)
    };
    let text = |text: &str| Value::from(text);
    if let Some(sticker) = reference.strip_prefix("sticker:") {
        let (pack, number) = sticker.split_once(':').filter(|(pack, _)| is_plain(pack))?;
        let number: u64 = number.parse().ok()?;
        let params = [("packId".to_owned(), text(pack)), ("stickerId".to_owned(), number.into())];
        return Some(("getSticker", Map::from_iter(params)));
    }
    let sender = sender.as_str();
    let sender = sender.strip_prefix("uuid:").unwrap_or(sender);
    let params = [("id".to_owned(), text(reference)), ("recipient".to_owned(), text(sender))];
    is_plain(reference).then(|| ("getAttachment", Map::from_iter(params)))
}

impl Base64 {
    /// The bytes that are whole with this piece of the answer.
    fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, NoFile> {
        self.read.extend_from_slice(piece);
        if !self.is_begun {
            match self.read.windows(BEGIN.len()).position(|window| window == BEGIN) {
                Some(at) => {
                    self.read.drain(..at + BEGIN.len());
                    self.is_begun = true;
                }
                None if self.read.len() > HEAD => return Err(NoFile),
                None => return Ok(Vec::new()),
            }
        }
        let end = self.read.iter().position(|byte| *byte == b'"');
        self.is_over = end.is_some();
        // Three bytes are four letters.
        let whole = end.unwrap_or(self.read.len() / 4 * 4);
        let letters: Vec<u8> = self.read.drain(..whole).collect();
        STANDARD.decode(letters).map_err(|_| NoFile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Result<String, NoFile> {
        let mut base64 = Base64::default();
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(base64.feed(piece.as_bytes())?);
        }
        if base64.is_over { Ok(String::from_utf8(bytes).unwrap()) } else { Err(NoFile) }
    }

    #[test]
    fn a_file_is_read_however_it_comes() {
        let whole = r#"{"jsonrpc":"2.0","result":{"data":"aGVsbG8gd29ybGQ="},"id":1}"#;
        assert_eq!(read(&[whole]).unwrap(), "hello world");
        for at in 1..whole.len() {
            let (one, two) = whole.split_at(at);
            // What comes after the file is not asked for.
            let read = read(&[one]).or_else(|_| read(&[one, two]));
            assert_eq!(read.unwrap(), "hello world", "{at}");
        }
        let letters: Vec<String> = whole.chars().take(52).map(String::from).collect();
        assert_eq!(read(&letters.iter().map(String::as_str).collect::<Vec<_>>()).unwrap(), "hello world");
        for none in [
            r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"none","data":null},"id":1}"#,
            r#"{"result":{"data":"a!"}}"#,
            r#"{"result":{"data":"aGVsbG8"#,
            &"x".repeat(HEAD + 1),
        ] {
            assert_eq!(read(&[none]), Err(NoFile), "{none}");
        }
    }

    #[test]
    fn only_plain_references_are_asked_for() {
        let ann = SenderId::parse(
            &dmgate::ChannelId::parse("signal").unwrap(),
            "uuid:5bdc5d0b-0b3e-4c4e-8c4c-0d8d6e1d2f10",
        )
        .unwrap();
        let (method, params) = call(&ann, "aB3_-x.jpg").unwrap();
        assert_eq!(
            (method, &params["recipient"]),
            ("getAttachment", &"5bdc5d0b-0b3e-4c4e-8c4c-0d8d6e1d2f10".into())
        );
        assert_eq!(call(&ann, "sticker:0a1b:7").unwrap().0, "getSticker");
        for none in ["", "../x", "a/b", "a..b", "tel:+49", "sticker:a", "sticker:../:1", "sticker:a:b"] {
            assert!(call(&ann, none).is_none(), "{none}");
        }
    }
}
