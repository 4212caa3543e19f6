//! Our own record of one channel: hours used, what is to be sent, primaries behind aliases, blocks, wrong guesses.
//!
//! It is the sum of its entries; a store keeps the entries, this module says what they add up to.

mod hour;

pub use hour::Hour;
use serde::{Deserialize, Serialize};

use super::code::RequestId;
use crate::clock::{Moment, Timestamp};
use crate::message::{AccountId, ReplyRoute, SenderId};

/// One line of the record. Ids are kept as text: they were parsed before they were written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Entry {
    /// We made a code: the sender's hour begins, and the code is to be sent.
    Issued {
        /// The hour.
        hour: Hour,
    },
    /// An hour, of a request that another program made, or with a stamp that was moved.
    Hour {
        /// The hour.
        hour: Hour,
    },
    /// A text is to be sent.
    Queued {
        /// The sending.
        send: Sending,
    },
    /// A sending made a step.
    Sending {
        /// Of which request.
        request: RequestId,
        /// Of which text.
        what: SendKind,
        /// The step.
        step: SendStep,
    },
    /// A request was decided: its code is not sent any more.
    Closed {
        /// Which.
        request: RequestId,
    },
    /// The primary id behind a listed alias.
    Bound {
        /// The account.
        account: String,
        /// The listed alias.
        entry: String,
        /// The only primary id that it lets in.
        primary: String,
    },
    /// A listed alias lets in whoever holds it next.
    Unbound {
        /// The account.
        account: String,
        /// The listed alias.
        entry: String,
    },
    /// A sender is blocked.
    Blocked {
        /// The account.
        account: String,
        /// The sender.
        id: String,
    },
    /// A sender is not blocked any more.
    Unblocked {
        /// The account.
        account: String,
        /// The sender.
        id: String,
    },
    /// Wrong codes in a row through remote surfaces.
    Guesses {
        /// How many.
        wrong: u32,
        /// Until when codes don't work, in Unix milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locked_until: Option<i64>,
    },
}

/// A text on its way to a sender.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sending {
    /// The request that it belongs to.
    pub request: RequestId,
    /// The account.
    pub account: String,
    /// What it is.
    pub what: SendKind,
    /// The sender's primary id.
    pub to: String,
    /// The way; without it the adapter finds one from the sender's id, if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<ReplyRoute>,
    /// Tries whose outcome is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u32,
    /// A try has begun and not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trying: bool,
}

/// Hours that run at a time in one channel; when they are more, no new code is made.
pub(super) const HOURS_RUNNING: usize = 1_024;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Which text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendKind {
    /// The pairing code.
    Challenge,
    /// "You are in."
    Notice,
}

/// What happened to a sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendStep {
    /// A try begins.
    Try,
    /// It arrived.
    Sent,
    /// It definitely did not arrive; try again.
    Failed,
    /// Whether it arrived is not known.
    Unknown,
    /// It will not be tried again.
    GivenUp,
}

/// What the entries add up to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Codes given within the last hour.
    pub hours: Vec<Hour>,
    /// Texts to be sent.
    pub sends: Vec<Sending>,
    /// Primaries behind listed aliases: (account, entry, primary).
    pub bindings: Vec<(String, String, String)>,
    /// Blocked senders: (account, id).
    pub blocks: Vec<(String, String)>,
    /// Wrong codes in a row through remote surfaces.
    pub wrong: u32,
    /// Until when codes don't work through remote surfaces.
    pub locked_until: Option<Timestamp>,
}

impl Record {
    /// Adds one entry. Entries that refer to nothing change nothing.
    pub fn apply(&mut self, entry: &Entry) {
        match entry.clone() {
            Entry::Issued { hour } => {
                self.put_send(Sending::of(&hour, SendKind::Challenge));
                self.put_hour(hour);
            }
            Entry::Hour { hour } => self.put_hour(hour),
            Entry::Queued { send } => self.put_send(send),
            Entry::Sending { request, what, step } => self.step(&request, what, step),
            Entry::Closed { request } => {
                self.sends.retain(|send| send.request != request || send.what != SendKind::Challenge);
            }
            Entry::Bound { account, entry, primary } => {
                self.unbind(&account, &entry);
                self.bindings.push((account, entry, primary));
            }
            Entry::Unbound { account, entry } => self.unbind(&account, &entry),
            Entry::Blocked { account, id } => {
                if !self.blocks.iter().any(|block| block.0 == account && block.1 == id) {
                    self.blocks.push((account, id));
                }
            }
            Entry::Unblocked { account, id } => {
                self.blocks.retain(|block| block.0 != account || block.1 != id);
            }
            Entry::Guesses { wrong, locked_until } => {
                self.wrong = wrong;
                self.locked_until = locked_until.map(Timestamp::from_millis);
            }
        }
    }

    /// The fewest entries that add up to this record, without what no rule will ask for any more after `now`.
    ///
    /// Hours that ran out are kept for a day: a clock that ran ahead and is set back must find them again.
    // INVARIANT I2: an hour is not forgotten by a clock that stepped forth before it steps back.
    #[must_use]
    pub fn entries(&self, now: Moment) -> Vec<Entry> {
        let blocks = self.blocks.iter().cloned().map(|(account, id)| Entry::Blocked { account, id });
        let bound = |(account, entry, primary)| Entry::Bound { account, entry, primary };
        let bindings = self.bindings.iter().cloned().map(bound);
        let hours = self.hours.iter().filter(|hour| hour.may_count_after(now)).cloned();
        let sends = self.sends.iter().cloned();
        let mut entries: Vec<Entry> = blocks.chain(bindings).collect();
        if self.wrong > 0 || self.locked_until.is_some() {
            let locked_until = self.locked_until.map(Timestamp::as_millis);
            entries.push(Entry::Guesses { wrong: self.wrong, locked_until });
        }
        entries.extend(hours.map(|hour| Entry::Hour { hour }));
        entries.extend(sends.map(|send| Entry::Queued { send }));
        entries
    }

    /// The hour of a request.
    #[must_use]
    pub fn hour_of(&self, request: &RequestId) -> Option<&Hour> {
        self.hours.iter().find(|hour| hour.request == *request)
    }

    /// The primary id that is remembered behind a listed alias.
    #[must_use]
    pub fn primary_behind(&self, account: &AccountId, entry: &SenderId) -> Option<&str> {
        let mut bound = self.bindings.iter();
        bound
            .find(|b| b.0 == account.as_str() && b.1 == entry.as_str())
            .map(|(_, _, primary)| primary.as_str())
    }

    /// The blocked senders of an account.
    pub fn blocked(&self, account: &AccountId) -> impl Iterator<Item = SenderId> {
        let of_account = self.blocks.iter().filter(move |(of, _)| of == account.as_str());
        of_account.filter_map(|(_, id)| SenderId::from_record(id))
    }

    // INVARIANT I11: however many codes the owner lets be made, no more hours are kept; those that run are fewer.
    fn put_hour(&mut self, hour: Hour) {
        self.hours.retain(|other| other.request != hour.request);
        if self.hours.len() >= 2 * HOURS_RUNNING {
            self.hours.remove(0);
        }
        self.hours.push(hour);
    }

    fn put_send(&mut self, send: Sending) {
        self.sends.retain(|other| other.request != send.request || other.what != send.what);
        self.sends.push(send);
    }

    fn unbind(&mut self, account: &str, entry: &str) {
        self.bindings.retain(|bound| bound.0 != account || bound.1 != entry);
    }

    // INVARIANT I6: after a known success nothing is sent; a try that began and did not end has an unknown outcome.
    fn step(&mut self, request: &RequestId, what: SendKind, step: SendStep) {
        if matches!(step, SendStep::Sent | SendStep::GivenUp) {
            self.sends.retain(|send| send.request != *request || send.what != what);
            return;
        }
        for send in self.sends.iter_mut().filter(|send| send.request == *request && send.what == what) {
            match step {
                SendStep::Try => {
                    send.unknown += u32::from(send.trying);
                    send.trying = true;
                }
                SendStep::Unknown => {
                    send.unknown += 1;
                    send.trying = false;
                }
                SendStep::Failed | SendStep::Sent | SendStep::GivenUp => send.trying = false,
            }
        }
    }
}

impl Sending {
    /// A text to the sender of a request, not tried yet.
    #[must_use]
    pub fn of(hour: &Hour, what: SendKind) -> Self {
        Self {
            request: hour.request.clone(),
            account: hour.account.clone(),
            what,
            to: hour.ids.first().cloned().unwrap_or_default(),
            route: hour.route.clone(),
            unknown: 0,
            trying: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(at: i64, from: Option<i64>) -> Hour {
        let (request, ids) = (RequestId::from_text("r"), vec!["1".into()]);
        Hour { request, account: "default".into(), ids, at, ttl: 3_600_000, from, uptime: None, route: None }
    }

    const H: i64 = 3_600_000;

    #[test]
    fn a_record_is_the_sum_of_its_entries() {
        let mut record = Record::default();
        let bind =
            |primary: &str| Entry::Bound { account: "a".into(), entry: "+4".into(), primary: primary.into() };
        for entry in [
            Entry::Issued { hour: hour(0, None) },
            Entry::Blocked { account: "a".into(), id: "9".into() },
            Entry::Blocked { account: "a".into(), id: "9".into() },
            bind("p"),
            bind("q"),
            Entry::Guesses { wrong: 2, locked_until: None },
        ] {
            record.apply(&entry);
        }
        let mut again = Record::default();
        for entry in record.entries(Timestamp::from_millis(1).into()) {
            let text = serde_json::to_string(&entry).unwrap();
            again.apply(&serde_json::from_str(&text).unwrap());
        }
        assert_eq!(record, again);
        assert_eq!(record.bindings.len(), 1);
        assert_eq!(record.blocks.len(), 1);
        let bind = |account: &str, entry: &str| Entry::Bound {
            account: account.into(),
            entry: entry.into(),
            primary: "p".into(),
        };
        let unbind = Entry::Unbound { account: "a".into(), entry: "+4".into() };
        [bind("b", "+4"), bind("a", "+5"), unbind].iter().for_each(|entry| record.apply(entry));
        let left: Vec<_> = record.bindings.iter().map(|bound| (&*bound.0, &*bound.1)).collect();
        assert_eq!(left, [("b", "+4"), ("a", "+5")]);
    }

    #[test]
    fn i2_an_hour_outlives_a_clock_that_steps_forth_and_back() {
        let mut record = Record::default();
        record.apply(&Entry::Hour { hour: hour(0, None) });
        let kept = |at: i64| record.entries(Timestamp::from_millis(at).into()).len();
        assert_eq!((kept(2 * H), kept(25 * H), kept(25 * H + 1)), (1, 1, 0));
    }

    #[test]
    fn i11_hours_are_bounded() {
        let mut record = Record::default();
        for n in 0..3 * HOURS_RUNNING {
            let request = RequestId::from_text(&n.to_string());
            record.apply(&Entry::Hour { hour: Hour { request, ..hour(0, None) } });
        }
        assert_eq!(record.hours.len(), 2 * HOURS_RUNNING);
        assert!(record.hour_of(&RequestId::from_text(&(3 * HOURS_RUNNING - 1).to_string())).is_some());
    }

    #[test]
    fn i6_a_try_that_never_ended_is_unknown() {
        let mut record = Record::default();
        let request = RequestId::from_text("r");
        record.apply(&Entry::Queued { send: Sending::of(&hour(0, None), SendKind::Challenge) });
        let step = |step| Entry::Sending { request: request.clone(), what: SendKind::Challenge, step };
        record.apply(&step(SendStep::Try));
        record.apply(&step(SendStep::Failed));
        assert_eq!(record.sends[0].unknown, 0);
        record.apply(&step(SendStep::Try));
        record.apply(&step(SendStep::Try));
        assert_eq!(record.sends[0].unknown, 1);
        // Also by a record that was written anew; what is nothing is not written.
        let queued = record.entries(Timestamp::from_millis(0).into()).pop().unwrap();
        let text = serde_json::to_string(&queued).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), queued);
        record.apply(&step(SendStep::Sent));
        assert!(record.sends.is_empty());
        let text = serde_json::to_string(&Sending::of(&hour(0, None), SendKind::Notice)).unwrap();
        assert!(!text.contains("unknown") && !text.contains("trying"), "{text}");
    }

    #[test]
    fn a_text_is_queued_once() {
        let mut record = Record::default();
        let queued = |of: &str, what| {
            let request = RequestId::from_text(of);
            Entry::Queued { send: Sending::of(&Hour { request, ..hour(0, None) }, what) }
        };
        for entry in [
            queued("r", SendKind::Challenge),
            queued("r", SendKind::Notice),
            queued("s", SendKind::Notice),
            queued("r", SendKind::Notice),
        ] {
            record.apply(&entry);
        }
        let left: Vec<_> = record.sends.iter().map(|send| (send.request.as_str(), send.what)).collect();
        assert_eq!(left, [("r", SendKind::Challenge), ("s", SendKind::Notice), ("r", SendKind::Notice)]);
    }
}
