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
            Ok(text) => self.line(printable(text)),
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

/// JSON that does nothing to a terminal: what other programs noted of strangers may hold any character. The same value
/// for whoever parses it.
fn printable(json: String) -> String {
    let is_plain = |letter: char| match letter {
        '\n' | ' '..='~' => true,
        _ => !letter.is_ascii() && !dmgate::escape(letter.encode_utf8(&mut [0; 4])).starts_with('\\'),
    };
    if json.chars().all(is_plain) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for letter in json.chars() {
        if is_plain(letter) {
            out.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn json_does_nothing_to_a_terminal() {
        let value = serde_json::json!({ "name": "Jö\u{9b}31m\u{7f}\u{202e}\u{e0001}\u{1b}\n😀" });
        let json = printable(serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(json, "{\n  \"name\": \"Jö\\u009b31m\\u007f\\u202e\\udb40\\udc01\\u001b\\n😀\"\n}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
