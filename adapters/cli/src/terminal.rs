//! What the program writes: lines for people and programs on stdout, trouble on stderr. A reader who went away (`| head`)
//! is no trouble.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

/// Standard output and standard error.
pub(crate) struct Terminal {
    out: BufWriter<io::Stdout>,
    err: io::Stderr,
    /// Nobody reads our output any more.
    closed: bool,
}

impl Terminal {
    /// The program's own.
    pub(crate) fn standard() -> Self {
        Self { out: BufWriter::new(io::stdout()), err: io::stderr(), closed: false }
    }

    /// One line for people or programs.
    pub(crate) fn line(&mut self, text: impl Display) {
        let done = writeln!(self.out, "{text}");
        self.note(done);
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let done = self.out.write_all(bytes);
        self.note(done);
    }

    /// One value as JSON: indented by two blanks.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(error) => self.trouble(error),
        }
    }

    /// One line about trouble.
    pub(crate) fn trouble(&mut self, text: impl Display) {
        self.flush();
        // What was typed may be repeated in it.
        let line: String =
            text.to_string().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        // Nobody is left to be told if this fails.
        let _ = writeln!(self.err, "dmgate: {line}");
    }

    /// Hands over everything that was written. Whether it arrived.
    pub(crate) fn flush(&mut self) -> bool {
        let done = self.out.flush();
        self.note(done);
        !self.closed
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            let quiet = self.closed || error.kind() == ErrorKind::BrokenPipe;
            self.closed = true;
            if !quiet {
                let _ = writeln!(self.err, "dmgate: the output can't be written: {error}");
            }
        }
    }
}
