//! Lines of the protocol: tags, source, command, parameters (RFC 1459, IRCv3 message tags).

/// A line that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    tags: Vec<(String, String)>,
    /// Who it is from: a server, or `nick!user@host`.
    pub(super) source: Option<String>,
    /// The command or numeric, in upper case.
    pub(super) command: String,
    params: Vec<String>,
}

impl Line {
    /// Reads a line without its end; `None` if there is no command in it. Text that is no UTF-8 keeps marks (U+FFFD)
    /// where it is not; no id may hold one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        let (tags, text) = match text.strip_prefix('@') {
            Some(tagged) => {
                let (tags, rest) = tagged.split_once(' ')?;
                (
                    tags.split(';').filter(|tag| !tag.is_empty()).map(tag).collect(),
                    rest.trim_start_matches(' '),
                )
            }
            None => (Vec::new(), text),
        };
        let (source, text) = match text.strip_prefix(':') {
            Some(sourced) => {
                let (source, rest) = sourced.split_once(' ')?;
                (Some(source.to_owned()), rest)
            }
            None => (None, text),
        };
        let (command, mut rest) = next_word(text)?;
        let mut params = Vec::new();
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':') {
                params.push(trailing.to_owned());
                break;
            }
            let Some((word, after)) = next_word(rest) else { break };
            params.push(word.to_owned());
            rest = after;
        }
        Some(Self { tags, source, command: command.to_ascii_uppercase(), params })
    }

    /// A parameter, or nothing.
    pub(super) fn param(&self, at: usize) -> &str {
        self.params.get(at).map(String::as_str).unwrap_or_default()
    }

    /// The last parameter, or nothing.
    pub(super) fn last(&self) -> &str {
        self.params.last().map(String::as_str).unwrap_or_default()
    }

    /// The parameters between our nick and the words for people: what a 005 says.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let end = self.params.len().saturating_sub(1);
        self.params.iter().take(end).skip(1).map(String::as_str)
    }

    /// The value of a tag. Of two with one name the last counts, as the specification says.
    pub(super) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The number of a numeric reply.
    pub(super) fn numeric(&self) -> Option<u16> {
        self.command.parse().ok().filter(|_| self.command.len() == 3)
    }

    /// The nick of the source, or the server's name.
    pub(super) fn nick(&self) -> &str {
        let source = self.source.as_deref().unwrap_or_default();
        source.split(['!', '@']).next().unwrap_or_default()
    }
}

/// The first word and what follows it, blanks aside.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(' ');
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (!word.is_empty()).then(|| (word, rest.trim_start_matches(' ')))
}

fn tag(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), unescape(value))
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(':') => out.push(';'),
                Some('s') => out.push(' '),
                Some('r') => out.push('\r'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(Option<String>, String, Vec<String>)> {
        Line::parse(text.as_bytes()).map(|line| (line.source, line.command, line.params))
    }

    fn expect(text: &str, source: Option<&str>, command: &str, params: &[&str]) {
        let params = params.iter().map(|param| (*param).to_owned()).collect();
        let expected = Some((source.map(str::to_owned), command.to_owned(), params));
        assert_eq!(parts(text), expected, "{text}");
    }

    #[test]
    fn lines_come_apart() {
        expect("PING :a b\r\n", None, "PING", &["a b"]);
        expect("ping a", None, "PING", &["a"]);
        expect(":n!u@h PRIVMSG me :hello  you ", Some("n!u@h"), "PRIVMSG", &["me", "hello  you "]);
        expect(":n!u@h PRIVMSG me hello", Some("n!u@h"), "PRIVMSG", &["me", "hello"]);
        expect(":n!u@h   PRIVMSG   me   :x", Some("n!u@h"), "PRIVMSG", &["me", "x"]);
        expect(":n!u@h PRIVMSG me ::)", Some("n!u@h"), "PRIVMSG", &["me", ":)"]);
        expect(":n!u@h PRIVMSG me :", Some("n!u@h"), "PRIVMSG", &["me", ""]);
        expect(":s 005 me A=1 B :are supported", Some("s"), "005", &["me", "A=1", "B", "are supported"]);
        expect("@a=b;c :s NOTICE * :x", Some("s"), "NOTICE", &["*", "x"]);
        for nothing in ["", "\r\n", " ", ":", ":s", ":s ", "@a", "@a ", "@a :s", "@a :s "] {
            assert_eq!(parts(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn tags_are_unescaped_and_the_last_of_two_counts() {
        let line = Line::parse(br"@a=1;b=x\:\s\\\r\n\q\;c;d=;a=2;+e=f;=g X").unwrap();
        assert_eq!(line.tag("a"), Some("2"));
        assert_eq!(line.tag("b"), Some("x; \\\r\nq"));
        assert_eq!((line.tag("c"), line.tag("d"), line.tag("e")), (Some(""), Some(""), None));
        assert_eq!(line.tag("+e"), Some("f"));
    }

    #[test]
    fn what_is_no_utf8_is_marked() {
        let line = Line::parse(b":n\xff!u@h PRIVMSG me :caf\xe9").unwrap();
        assert_eq!((line.nick(), line.last()), ("n\u{fffd}", "caf\u{fffd}"));
    }

    #[test]
    fn numerics_have_three_digits() {
        let number = |text: &str| Line::parse(text.as_bytes()).unwrap().numeric();
        assert_eq!((number(":s 433 * x"), number("1"), number("PING")), (Some(433), None, None));
    }
}
