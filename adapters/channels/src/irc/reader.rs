//! Lines from a connection, none longer than it may be.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line: 8 KiB of tags and as much of everything else, far more than any server sends.
const LIMIT: usize = 16 * 1024;

/// Reads lines. A read that is given up half-way loses nothing.
pub(super) struct LineReader<R> {
    source: R,
    read: Vec<u8>,
    /// How much of `read` is known to hold no end of a line.
    searched: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, read: Vec::new(), searched: 0 }
    }

    /// The next line with its end; `None` when there are no more.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let end = self.read.iter().skip(self.searched).position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let rest = self.read.split_off(self.searched + end + 1);
                self.searched = 0;
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            self.searched = self.read.len();
            if self.read.len() > LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line that never ends"));
            }
            if self.source.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_where_they_end_however_they_come() {
        let mut reader = LineReader::new(tokio_test_chunks(&[b"a\r", b"\nb\nc", b"", b"d\n\ne"]).await);
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await.unwrap() {
            lines.push(String::from_utf8(line).unwrap());
        }
        assert_eq!(lines, ["a\r\n", "b\n", "cd\n", "\n"], "what has no end is no line");
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_an_error() {
        let long = vec![b'x'; LIMIT - 1];
        let mut fits = long.clone();
        fits.push(b'\n');
        let mut reader = LineReader::new(&fits[..]);
        assert_eq!(reader.next().await.unwrap().unwrap().len(), LIMIT);
        let endless = vec![b'x'; LIMIT * 4];
        let mut reader = LineReader::new(&endless[..]);
        assert_eq!(reader.next().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(reader.read.len() <= LIMIT * 2 + 1, "no more is kept than needed");
    }

    async fn tokio_test_chunks(chunks: &[&[u8]]) -> impl AsyncRead + Unpin + use<> {
        use tokio::io::AsyncWriteExt;
        let (mut end, source) = tokio::io::duplex(64);
        for chunk in chunks {
            end.write_all(chunk).await.unwrap();
        }
        source
    }
}
