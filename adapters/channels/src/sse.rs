//! Server-sent events: an answer that goes on, in lines.

use crate::lines::take_line;

/// The longest event, in bytes.
const LIMIT: usize = 1024 * 1024;

/// One event.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Event {
    /// What kind it is; empty for the usual one.
    pub(crate) name: String,
    /// What it says.
    pub(crate) data: String,
    /// Where it stands, for a reconnection.
    pub(crate) id: Option<String>,
}

/// Reads events from bytes as they come.
#[derive(Default)]
pub(crate) struct Events {
    read: Vec<u8>,
    event: Event,
    has_data: bool,
}

/// An event that is longer than any should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an event that never ends")]
pub(crate) struct Endless;

impl Events {
    /// Takes bytes as they came. A line that is no field, as the comments that keep a connection alive, is passed over.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Endless> {
        self.read.extend_from_slice(bytes);
        let is_endless = self.read.len() + self.event.data.len() > 2 * LIMIT;
        if is_endless { Err(Endless) } else { Ok(()) }
    }

    /// The next event that is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Endless> {
        while let Some(line) = take_line(&mut self.read) {
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let id = self.event.id.clone();
                let event = std::mem::replace(&mut self.event, Event { id, ..Event::default() });
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => {
                    if std::mem::replace(&mut self.has_data, true) {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                }
                "event" => value.clone_into(&mut self.event.name),
                "id" => self.event.id = Some(value.to_owned()),
                _ => {}
            }
            if self.event.data.len() > LIMIT {
                return Err(Endless);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&str]) -> Vec<Event> {
        let mut events = Events::default();
        let mut read = Vec::new();
        for chunk in chunks {
            events.feed(chunk.as_bytes()).unwrap();
            while let Some(event) = events.next().unwrap() {
                read.push(event);
            }
        }
        read
    }

    #[test]
    fn events_are_whole_however_they_come() {
        let event = |name: &str, data: &str, id: Option<&str>| Event {
            name: name.into(),
            data: data.into(),
            id: id.map(Into::into),
        };
        let chunks = [
            ":\n\n:\r\ndata: {\"a\"",
            ":1}\r\n\r",
            "\nevent: receive\nid: 7\ndata:x\ndata: y\n\ndata\n\nid: 8\n\ndata: z",
        ];
        let expected =
            [event("", "{\"a\":1}", None), event("receive", "x\ny", Some("7")), event("", "", Some("7"))];
        assert_eq!(read(&chunks), expected, "the last one is not whole");
    }

    #[test]
    fn an_event_that_never_ends_is_an_error() {
        let mut events = Events::default();
        assert!((0..4).any(|_| events.feed(&vec![b'x'; LIMIT]).is_err()), "one line");
        let mut events = Events::default();
        let lines = format!("data: {}\n", "x".repeat(1_000)).repeat(100);
        let is_endless = (0..20).any(|_| events.feed(lines.as_bytes()).is_err() || events.next().is_err());
        assert!(is_endless, "many lines");
    }
}
