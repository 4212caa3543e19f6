//! What a server says of itself (numeric 005): which nicks are the same, and what is a channel.

/// How a server compares nicks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CaseMapping {
    Ascii,
    /// `{}|^` are the lower case of `[]\~`.
    Rfc1459,
    /// The same without `^` and `~`.
    StrictRfc1459,
}

/// A server's own rules. Until it tells them they are those of RFC 1459.
#[derive(Clone, Debug)]
pub(super) struct Server {
    mapping: CaseMapping,
    channels: String,
    /// The prefixes that make a message to a channel one to its operators: `@#channel`.
    prefixes: String,
}

impl Default for Server {
    fn default() -> Self {
        Self { mapping: CaseMapping::Rfc1459, channels: "#&".to_owned(), prefixes: "~&@%+".to_owned() }
    }
}

impl Server {
    /// Takes one word of a 005.
    pub(super) fn learn(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match (name, value) {
            ("CASEMAPPING", "rfc1459") => self.mapping = CaseMapping::Rfc1459,
            ("CASEMAPPING", "strict-rfc1459" | "rfc1459-strict") => self.mapping = CaseMapping::StrictRfc1459,
            // Of a mapping that we don't know only what all have in common is certain.
            ("CASEMAPPING", _) => self.mapping = CaseMapping::Ascii,
            ("CHANTYPES", types) => self.channels = types.to_owned(),
            ("STATUSMSG", prefixes) => self.prefixes = prefixes.to_owned(),
            _ => {}
        }
    }

    /// Whether two nicks are the same.
    pub(super) fn is_same(&self, left: &str, right: &str) -> bool {
        left.chars().map(|letter| self.fold(letter)).eq(right.chars().map(|letter| self.fold(letter)))
    }

    /// Whether a message to `target` goes to a channel, or to some of its members.
    pub(super) fn is_channel(&self, target: &str) -> bool {
        target.trim_start_matches(|letter| self.prefixes.contains(letter)).starts_with(|letter| {
            // What is a channel on most networks is one here too, whatever the server forgot to say.
            self.channels.contains(letter) || "#&".contains(letter)
        }) || target.starts_with(|letter| self.channels.contains(letter) || "#&".contains(letter))
    }

    fn fold(&self, letter: char) -> char {
        match (self.mapping, letter) {
            (CaseMapping::Rfc1459, '~') => '^',
            (CaseMapping::Rfc1459 | CaseMapping::StrictRfc1459, '[') => '{',
            (CaseMapping::Rfc1459 | CaseMapping::StrictRfc1459, ']') => '}',
            (CaseMapping::Rfc1459 | CaseMapping::StrictRfc1459, '\\') => '|',
            _ => letter.to_ascii_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> Server {
        let mut server = Server::default();
        words.iter().for_each(|word| server.learn(word));
        server
    }

    #[test]
    fn nicks_are_compared_as_the_server_does() {
        for (mapping, braces, tilde) in [
            ("CASEMAPPING=rfc1459", true, true),
            ("CASEMAPPING=strict-rfc1459", true, false),
            ("CASEMAPPING=ascii", false, false),
            ("CASEMAPPING=rfc7613", false, false),
            ("NETWORK=x", true, true),
        ] {
            let server = told(&[mapping]);
            assert!(server.is_same("Botty", "bOTTY"), "{mapping}");
            assert!(!server.is_same("botty", "botty_") && !server.is_same("Ä", "ä"), "{mapping}");
            assert_eq!(server.is_same("a[b]\\", "A{B}|"), braces, "{mapping}");
            assert_eq!(server.is_same("a~", "A^"), tilde, "{mapping}");
        }
    }

    #[test]
    fn channels_and_their_operators_are_channels() {
        let server = told(&["CHANTYPES=#!", "STATUSMSG=@+"]);
        for channel in ["#a", "!a", "&a", "@#a", "+#a", "@+#a"] {
            assert!(server.is_channel(channel), "{channel}");
        }
        for other in ["botty", "", "$*", "@botty"] {
            assert!(!server.is_channel(other), "{other}");
        }
        assert!(told(&["CHANTYPES=", "STATUSMSG"]).is_channel("#a"));
    }
}
