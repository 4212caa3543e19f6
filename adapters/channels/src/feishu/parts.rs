//! Events that come in parts: a frame says how many there are, and which one it is.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::frame::Frame;

/// The longest event, in bytes: as long as the longest web hook.
const EVENT_LIMIT: usize = 1024 * 1024;

/// How many bytes wait for the rest of their events.
const WAITING_LIMIT: usize = 4 * EVENT_LIMIT;

/// In how many parts an event may come.
const PARTS: usize = 256;

/// How many events may be there in part.
const EVENTS: usize = 64;

/// How long the rest may take. What does not come is sent again as a whole.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is there in part, the oldest first.
#[derive(Default)]
pub(super) struct Parts(VecDeque<Event>);

struct Event {
    id: String,
    since: Instant,
    parts: Vec<Option<Vec<u8>>>,
}

impl Parts {
    /// Adds what a frame brings, and gives the event if that was the last of it; the error is why the frame is none.
    pub(super) fn add(&mut self, frame: &Frame) -> Result<Option<Vec<u8>>, &'static str> {
        let number = |name, or| frame.header(name).map_or(Some(or), |text| text.parse::<usize>().ok());
        let (sum, at) = number("sum", 1).zip(number("seq", 0)).ok_or("its parts have no numbers")?;
        if sum == 0 || sum > PARTS || at >= sum {
            return Err("its parts are none");
        }
        if frame.payload.len() > EVENT_LIMIT {
            return Err("it is too long");
        }
        if sum == 1 {
            return Ok(Some(frame.payload.clone()));
        }
        let id = frame.header("message_id").filter(|id| !id.is_empty() && id.len() <= 256);
        let id = id.ok_or("its parts have no name")?;
        let now = Instant::now();
        self.0.retain(|event| now.duration_since(event.since) < PATIENCE);
        let mut event = match self.0.iter().position(|event| event.id == id).and_then(|at| self.0.remove(at))
        {
            Some(event) if event.parts.len() != sum => return Err("its parts are of two kinds"),
            Some(event) => event,
            None => Event { id: id.to_owned(), since: now, parts: vec![None; sum] },
        };
        if let Some(part) = event.parts.get_mut(at) {
            *part = Some(frame.payload.clone());
        }
        if event.bytes() > EVENT_LIMIT {
            return Err("it is too long");
        }
        if event.parts.iter().all(Option::is_some) {
            return Ok(Some(event.parts.into_iter().flatten().flatten().collect()));
        }
        self.0.push_back(event);
        while self.0.len() > EVENTS || self.0.iter().map(Event::bytes).sum::<usize>() > WAITING_LIMIT {
            self.0.pop_front();
        }
        Ok(None)
    }
}

impl Event {
    fn bytes(&self) -> usize {
        self.parts.iter().flatten().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: &str, sum: &str, at: &str, payload: &[u8]) -> Frame {
        Frame::data(&[("type", "event"), ("message_id", id), ("sum", sum), ("seq", at)], payload)
    }

    fn whole(parts: &mut Parts, frame: &Frame) -> Option<String> {
        parts.add(frame).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn parts_in_any_order_become_one_event() {
        let mut parts = Parts::default();
        assert_eq!(whole(&mut parts, &part("a", "1", "0", b"whole")).as_deref(), Some("whole"));
        assert_eq!(whole(&mut parts, &Frame::data(&[("type", "event")], b"alone")).as_deref(), Some("alone"));
        assert_eq!(whole(&mut parts, &part("a", "3", "2", b"c")), None);
        assert_eq!(whole(&mut parts, &part("b", "2", "0", b"x")), None);
        assert_eq!(whole(&mut parts, &part("a", "3", "0", b"a")), None);
        assert_eq!(whole(&mut parts, &part("a", "3", "0", b"A")), None, "one that comes twice");
        assert_eq!(whole(&mut parts, &part("a", "3", "1", b"")).as_deref(), Some("Ac"), "an empty one");
        assert_eq!(whole(&mut parts, &part("b", "2", "1", b"y")).as_deref(), Some("xy"));
        assert!(parts.0.is_empty());
        // What does not become whole in time is forgotten.
        assert_eq!(whole(&mut parts, &part("c", "2", "0", b"x")), None);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(whole(&mut parts, &part("c", "2", "1", b"y")), None);
        assert_eq!(parts.0.len(), 1);
    }

    #[tokio::test]
    async fn what_is_there_in_part_has_bounds() {
        let mut parts = Parts::default();
        for wrong in [
            part("a", "0", "0", b"x"),
            part("a", "2", "2", b"x"),
            part("a", "-1", "0", b"x"),
            part("a", "x", "0", b"x"),
            part("a", "257", "0", b"x"),
            part("", "2", "0", b"x"),
            part(&"a".repeat(257), "2", "0", b"x"),
            part("a", "1", "0", &vec![0; EVENT_LIMIT + 1]),
            part("a", "2", "0", &vec![0; EVENT_LIMIT + 1]),
        ] {
            assert!(parts.add(&wrong).is_err());
        }
        assert_eq!(parts.add(&part("a", "2", "0", b"x")), Ok(None));
        assert!(parts.add(&part("a", "3", "1", b"y")).is_err(), "of two kinds");
        for number in 0..1_000 {
            assert_eq!(parts.add(&part(&number.to_string(), "2", "0", b"x")), Ok(None));
        }
        assert_eq!(parts.0.len(), EVENTS);
        for number in 0..1_000 {
            assert_eq!(parts.add(&part(&number.to_string(), "2", "0", &vec![0; EVENT_LIMIT])), Ok(None));
            assert!(parts.0.iter().map(Event::bytes).sum::<usize>() <= WAITING_LIMIT);
        }
        assert!(parts.add(&part("999", "2", "1", b"y")).is_err(), "longer than any event");
    }
}
