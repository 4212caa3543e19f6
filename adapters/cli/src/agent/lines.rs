//! Lines of a pipe, none longer than a limit.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

/// Reads lines. Dropping a read loses nothing.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    partial: Vec<u8>,
    limit: usize,
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The whole line.
    Whole(Vec<u8>),
    /// What was read of a line that is longer than the limit; the rest follows.
    TooLong(Vec<u8>),
}

impl<R: tokio::io::AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader: BufReader::new(reader), partial: Vec::new(), limit }
    }

    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let (used, ended) = take_line(self.reader.fill_buf().await?, &mut self.partial, self.limit);
            std::pin::Pin::new(&mut self.reader).consume(used);
            if ended {
                return Ok(Some(Line::Whole(std::mem::take(&mut self.partial))));
            }
            if self.partial.len() >= self.limit {
                return Ok(Some(Line::TooLong(std::mem::take(&mut self.partial))));
            }
            if used == 0 {
                let rest = std::mem::take(&mut self.partial);
                return Ok((!rest.is_empty()).then_some(Line::Whole(rest)));
            }
        }
    }
}

/// Moves bytes up to the end of the line or the limit; says how many were used and whether the line ended.
fn take_line(buffer: &[u8], partial: &mut Vec<u8>, limit: usize) -> (usize, bool) {
    let room = limit.saturating_sub(partial.len());
    let end = buffer.iter().position(|byte| *byte == b'\n');
    let length = end.unwrap_or(buffer.len());
    if length > room {
        partial.extend(buffer.iter().take(room));
        return (room, false);
    }
    partial.extend(buffer.iter().take(length));
    if end.is_some() && partial.last() == Some(&b'\r') {
        partial.pop();
    }
    (length + usize::from(end.is_some()), end.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &str, limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(text.as_bytes(), limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    #[tokio::test]
    async fn lines_end_and_have_a_limit() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(all("a\r\nbc\n\nd", 10).await, [whole("a"), whole("bc"), whole(""), whole("d")]);
        assert_eq!(all("", 10).await, []);
        assert_eq!(all("abcde\n", 5).await, [whole("abcde")]);
        assert_eq!(all("abcdef\n", 5).await, [Line::TooLong("abcde".into()), whole("f")]);
    }
}
