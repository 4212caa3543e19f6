//! Lines from a connection or a program, none longer than it may be.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Takes the first line with its end off what was read, if it is whole.
pub(crate) fn take_line(read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = read.iter().position(|byte| *byte == b'\n')?;
    let rest = read.split_off(end + 1);
    Some(std::mem::replace(read, rest))
}

/// Reads lines. A read that is given up half-way loses nothing.
pub(crate) struct LineReader<R> {
    source: R,
    /// The longest line.
    limit: usize,
    read: Vec<u8>,
    /// How much of `read` is known to hold no end of a line.
    searched: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Lines of at most about `limit` bytes.
    pub(crate) fn new(source: R, limit: usize) -> Self {
        Self { source, limit, read: Vec::new(), searched: 0 }
    }

    /// The next line with its end; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let end = self.read.iter().skip(self.searched).position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let rest = self.read.split_off(self.searched + end + 1);
                self.searched = 0;
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            self.searched = self.read.len();
            if self.read.len() > self.limit {
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

    const LIMIT: usize = 16 * 1024;

    #[tokio::test]
    async fn lines_end_where_they_end_however_they_come() {
        let mut reader =
            LineReader::new(tokio_test_chunks(&[b"a\r", b"\nb\nc", b"", b"d\n\ne"]).await, LIMIT);
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
        let mut reader = LineReader::new(&fits[..], LIMIT);
        assert_eq!(reader.next().await.unwrap().unwrap().len(), LIMIT);
        let endless = vec![b'x'; LIMIT * 4];
        let mut reader = LineReader::new(&endless[..], LIMIT);
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
