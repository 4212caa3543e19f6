//! Our own record on disk: lines that are appended, and now and then written anew.
//!
//! A line is a JSON array of a check and an entry. The check is made of the check of the line before and the bytes of
//! the entry, so that a line that was changed, left out or moved is noticed. The first line says how many of the next
//! ones belong to the head: the head is only ever written together with it, in one piece, so that cutting the file off
//! can't lose what it holds. What lets nobody in who would be out otherwise (hours, texts to be sent) may be appended;
//! blocks, aliases and lock-outs are always in the head.
//!
//! A last line without an end is a write that was cut off. It was never acknowledged, and is left out.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::clock::Moment;
use crate::pairing::record::{Entry, Record};

/// A record as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// What its lines add up to.
    pub(super) record: Record,
    /// Bytes of whole lines; 0 where there is no file.
    pub(super) length: u64,
    /// Whether bytes follow that are no whole line.
    pub(super) is_torn: bool,
    check: Check,
    tail: usize,
}

type Check = [u8; 8];

/// The first entry.
#[derive(Serialize, Deserialize)]
struct Header {
    /// The version of the format.
    dmgate: u32,
    /// How many lines of the head follow.
    head: usize,
}

/// Lines after the head from which on the record is written anew.
const LONGEST_TAIL: usize = 512;

/// Why a record is not used, and so never overwritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JournalError {
    /// A line is not what was written.
    #[error(
        "line {0} is damaged; restore the file from a copy, or move it away (blocks and hours are in it)"
    )]
    Damaged(usize),
    /// Lines of the head are missing.
    #[error("the file was cut off; restore it from a copy, or move it away (blocks and hours are in it)")]
    Truncated,
    /// A later program wrote it.
    #[error("the file has version {0}, and this program knows version 1; update this program")]
    FutureVersion(u32),
}

impl Journal {
    /// Reads a record.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut journal = Self::default();
        let mut head = None;
        let mut number = 0;
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at_checked(end + 1).ok_or(JournalError::Truncated)?;
            let damaged = JournalError::Damaged(number + 1);
            let text = std::str::from_utf8(line).map_err(|_| damaged.clone())?.trim_end_matches('\n');
            let entry = journal.next(text).ok_or(damaged.clone())?;
            if head.is_none() {
                let header: Header = serde_json::from_str(entry.get()).map_err(|_| damaged)?;
                if header.dmgate != 1 {
                    return Err(JournalError::FutureVersion(header.dmgate));
                }
                head = Some(header.head);
            } else {
                journal.record.apply(&serde_json::from_str(entry.get()).map_err(|_| damaged)?);
            }
            number += 1;
            rest = after;
        }
        let head = head.ok_or(JournalError::Truncated)?;
        journal.tail = (number - 1).checked_sub(head).ok_or(JournalError::Truncated)?;
        journal.is_torn = !rest.is_empty();
        journal.length = (bytes.len() - rest.len()) as u64;
        Ok(journal)
    }

    /// The lines that add `entries` behind this record, if they may be appended.
    pub(super) fn appended(&self, entries: &[Entry]) -> Option<Vec<u8>> {
        let fits = self.length > 0 && !self.is_torn && self.tail + entries.len() <= LONGEST_TAIL;
        if !fits || entries.iter().any(belongs_to_head) {
            return None;
        }
        let mut check = self.check;
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| push(&mut bytes, &mut check, entry));
        Some(bytes)
    }

    /// A whole record anew, with what no rule asks for any more at `now` left out.
    pub(super) fn rewritten(record: &Record, now: Moment) -> Vec<u8> {
        let entries = record.entries(now);
        let (mut bytes, mut check) = (Vec::new(), Check::default());
        push(&mut bytes, &mut check, &Header { dmgate: 1, head: entries.len() });
        entries.iter().for_each(|entry| push(&mut bytes, &mut check, entry));
        bytes
    }

    /// The entry of the next line, if its check is right.
    fn next<'a>(&mut self, line: &'a str) -> Option<&'a RawValue> {
        let (check, entry): (&str, &RawValue) = serde_json::from_str(line).ok()?;
        self.check = following(self.check, entry.get());
        (check == hex::encode(self.check) && line == text_of(check, entry.get())).then_some(entry)
    }
}

fn belongs_to_head(entry: &Entry) -> bool {
    match entry {
        Entry::Issued { .. }
        | Entry::Hour { .. }
        | Entry::Queued { .. }
        | Entry::Sending { .. }
        | Entry::Closed { .. } => false,
        Entry::Bound { .. }
        | Entry::Unbound { .. }
        | Entry::Blocked { .. }
        | Entry::Unblocked { .. }
        | Entry::Guesses { .. } => true,
    }
}

fn push(bytes: &mut Vec<u8>, check: &mut Check, entry: &impl Serialize) {
    // Entries are plain data with string keys: there is nothing in them that JSON can't say.
    let Ok(entry) = serde_json::to_string(entry) else { return };
    *check = following(*check, &entry);
    bytes.extend_from_slice(text_of(&hex::encode(*check), &entry).as_bytes());
    bytes.push(b'\n');
}

/// The one way to write a line: nothing in it can change without the check noticing.
fn text_of(check: &str, entry: &str) -> String {
    format!("[\"{check}\",{entry}]")
}

fn following(check: Check, entry: &str) -> Check {
    let digest = Sha256::new().chain_update(check).chain_update(entry).finalize();
    let mut check = Check::default();
    check.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::pairing::RequestId;
    use crate::pairing::record::Hour;

    fn hour(id: &str) -> Entry {
        let request = RequestId::from_text(id);
        let ids = vec![id.to_owned()];
        Entry::Hour {
            hour: Hour {
                request,
                account: "default".into(),
                ids,
                at: 0,
                ttl: 1,
                from: None,
                uptime: None,
                route: None,
            },
        }
    }

    fn block(id: &str) -> Entry {
        Entry::Blocked { account: "default".into(), id: id.into() }
    }

    fn sample() -> Vec<u8> {
        let mut record = Record::default();
        [block("1"), block("2"), hour("3")].iter().for_each(|entry| record.apply(entry));
        let mut bytes = Journal::rewritten(&record, Timestamp::from_millis(1).into());
        let tail = Journal::parse(&bytes).unwrap().appended(&[hour("4"), hour("5")]).unwrap();
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let journal = Journal::parse(&sample()).unwrap();
        assert_eq!((journal.record.blocks.len(), journal.record.hours.len()), (2, 3));
        assert_eq!(journal.length, sample().len() as u64);
        assert!(!journal.is_torn);
        assert!(journal.appended(&[block("9")]).is_none(), "blocks belong to the head");
    }

    #[test]
    fn i11_a_tail_that_grew_long_is_written_anew() {
        let mut bytes = Journal::rewritten(&Record::default(), Timestamp::from_millis(1).into());
        let mut appended = 0;
        while let Some(more) = Journal::parse(&bytes).unwrap().appended(&[hour("1"), hour("2")]) {
            bytes.extend(more);
            appended += 2;
        }
        assert_eq!(appended, LONGEST_TAIL);
    }

    #[test]
    fn i7_no_cut_loses_a_block() {
        let bytes = sample();
        let torn = |at: usize| Journal::parse(&bytes[..at]);
        for at in 0..bytes.len() {
            if let Ok(journal) = torn(at) {
                assert_eq!(journal.record.blocks.len(), 2, "cut at {at}");
                assert!(journal.length <= at as u64);
                assert!(journal.appended(&[hour("9")]).is_none() || !journal.is_torn);
            }
        }
    }

    #[test]
    fn i7_no_changed_byte_goes_unnoticed() {
        let bytes = sample();
        let whole = Journal::parse(&bytes).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                match Journal::parse(&changed) {
                    Err(_) => {}
                    // Only the end of the last line may go: then the line does, as if it had been cut off.
                    Ok(journal) => {
                        assert_eq!(at, bytes.len() - 1);
                        assert!(journal.is_torn && journal.length < whole.length);
                    }
                }
            }
        }
    }

    #[test]
    fn i7_lines_left_out_moved_or_of_the_future_are_damage() {
        let bytes = sample();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for left_out in 0..lines.len() - 1 {
            let rest: Vec<&str> =
                lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line).collect();
            let damaged = Journal::parse((rest.join("\n") + "\n").as_bytes()).unwrap_err();
            assert_eq!(damaged, JournalError::Damaged(left_out + 1));
        }
        let (mut future, mut check) = (Vec::new(), Check::default());
        push(&mut future, &mut check, &Header { dmgate: 2, head: 0 });
        assert_eq!(Journal::parse(&future).unwrap_err(), JournalError::FutureVersion(2));
        assert_eq!(Journal::parse(b"").unwrap_err(), JournalError::Truncated);
    }
}
