//! `[agent]`: what answers admitted messages.

use std::time::Duration;

use super::error::ConfigError;
use super::secret::Secret;
use super::section::Section;

/// What answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentSettings {
    /// Of which kind it is.
    pub(crate) kind: AgentKind,
    /// How long one turn may take.
    pub(crate) timeout: Duration,
    /// The longest answer, in bytes.
    pub(crate) max_reply: usize,
}

/// Of which kind the agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AgentKind {
    /// Says what it was told: to see that everything works.
    Echo,
    /// A server.
    Http(HttpSettings),
    /// A program.
    Command(Vec<String>),
}

/// An agent that is a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    /// Where messages are posted.
    pub(crate) url: String,
    /// How often a turn is tried again.
    pub(crate) retries: u32,
    /// Sent as `Authorization: Bearer`.
    pub(crate) token: Option<Secret>,
    /// More headers.
    pub(crate) headers: Vec<(String, Secret)>,
    /// A proxy, if one is wanted; the environment's are not used.
    pub(crate) proxy: Option<String>,
}

impl AgentSettings {
    /// The secrets that it needs.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let http = match &self.kind {
            AgentKind::Http(http) => Some(http),
            AgentKind::Echo | AgentKind::Command(_) => None,
        };
        http.into_iter()
            .flat_map(|http| http.token.iter().chain(http.headers.iter().map(|(_, secret)| secret)))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Echo,
    Http,
    Command,
}

const WORDS: [(&str, Word); 3] = [("echo", Word::Echo), ("http", Word::Http), ("command", Word::Command)];

/// Keys that one kind has.
const ONLY_WITH: [(&str, Word); 8] = [
    ("url", Word::Http),
    ("retries", Word::Http),
    ("token", Word::Http),
    ("token_file", Word::Http),
    ("token_env", Word::Http),
    ("headers", Word::Http),
    ("proxy", Word::Http),
    ("command", Word::Command),
];

/// Reads the section.
pub(crate) fn read(mut section: Section<'_>) -> Result<AgentSettings, ConfigError> {
    let word = section.word("kind", &WORDS, "echo")?;
    for (key, of) in ONLY_WITH {
        if section.has(key) && word != of {
            let name = WORDS.iter().find(|(_, word)| *word == of).map_or("", |(name, _)| name);
            let what = format!("has no effect with this kind; say agent.kind = \"{name}\"");
            return Err(section.bad(key, &section.origin_of(key), what));
        }
    }
    section.know(&ONLY_WITH.map(|(key, _)| key));
    let timeout = section.duration("timeout", Duration::from_secs(120))?;
    if timeout.is_zero() {
        return Err(ConfigError::at(section.origin(), "`agent.timeout` must be longer than 0s"));
    }
    let max_reply = section.number("max_reply", 1..=16 << 20, 64 << 10)?;
    let kind = match word {
        Word::Echo => AgentKind::Echo,
        Word::Http => AgentKind::Http(http(&mut section)?),
        Word::Command => AgentKind::Command(command(&mut section)?),
    };
    section.finish()?;
    Ok(AgentSettings { kind, timeout, max_reply: usize::try_from(max_reply).unwrap_or(usize::MAX) })
}

fn http(section: &mut Section<'_>) -> Result<HttpSettings, ConfigError> {
    let example = "as `http://127.0.0.1:9000/messages`";
    let Some(url) = section.address("url")? else {
        return Err(ConfigError::at(
            section.origin(),
            format!("agent.kind = \"http\" needs `agent.url`, {example}"),
        ));
    };
    let proxy = section.address("proxy")?;
    for (key, text) in [("url", Some(&url)), ("proxy", proxy.as_ref())] {
        if let Some(text) = text.filter(|text| !is_url(&text.value)) {
            // Not repeated: there may be a password in it.
            let what = format!("must hold no user or password; write an address {example}");
            return Err(section.bad(key, &text.origin, what));
        }
    }
    let retries = section.number("retries", 0..=10, 2)?;
    let token = section.secret("token")?;
    let headers = headers(section)?;
    let retries = u32::try_from(retries).unwrap_or(0);
    Ok(HttpSettings { url: url.value, retries, token, headers, proxy: proxy.map(|proxy| proxy.value) })
}

/// Headers hold keys often enough that all of them are treated as secrets.
fn headers(section: &mut Section<'_>) -> Result<Vec<(String, Secret)>, ConfigError> {
    let mut below = section.section("headers")?;
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for key in below.keys() {
        // `x_file` and `x_env` say where the header `x` is.
        let name = ["_file", "_env"].iter().find_map(|suffix| key.strip_suffix(suffix)).unwrap_or(&key);
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            let origin = below.origin_of(&key);
            return Err(below.bad(&key, &origin, "is not the name of a header"));
        }
        if !headers.iter().any(|(known, _)| known == name)
            && let Some(secret) = below.secret(name)?
        {
            // The name of a variable can't hold the `-` that most headers have.
            let name = if secret.origin.is_environment() { name.replace('_', "-") } else { name.to_owned() };
            headers.push((name, secret));
        }
    }
    below.finish()?;
    Ok(headers)
}

fn command(section: &mut Section<'_>) -> Result<Vec<String>, ConfigError> {
    let command: Vec<String> = section.texts("command")?.into_iter().map(|word| word.value).collect();
    if command.first().is_none_or(|program| program.trim().is_empty()) {
        let what = "agent.kind = \"command\" needs `agent.command`, as [\"python3\", \"bot.py\"]";
        return Err(ConfigError::at(section.origin(), what));
    }
    Ok(command)
}

/// Whether a text is an `http` or `https` address without user and password.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty()
        && !host.contains('@')
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}
