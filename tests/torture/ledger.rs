//! What may be true of each sender, as far as anybody was told: of what is done at the same time, every order is
//! followed, and what was cut off may have come to each of its steps.

use std::collections::{BTreeMap, BTreeSet};

/// What is done to a sender, or asked about them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Deed {
    Admit,
    Approve,
    Reject,
    RejectAndBlock,
    Allow,
    Revoke,
    Block,
    Unblock,
    IsAllowed,
    IsBlocked,
    IsWaiting,
}

/// What the answer to a deed was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Answer {
    /// Let in; approved, rejected; added, removed; it is so.
    Yes,
    /// Ignored; nobody waits; it was so already; it is not so.
    No,
    /// The sender is blocked.
    Blocked,
    /// The sender got a code.
    Code,
}

pub(crate) const DEEDS: [Deed; 11] = [
    Deed::Admit,
    Deed::Approve,
    Deed::Reject,
    Deed::RejectAndBlock,
    Deed::Allow,
    Deed::Revoke,
    Deed::Block,
    Deed::Unblock,
    Deed::IsAllowed,
    Deed::IsBlocked,
    Deed::IsWaiting,
];
pub(crate) const ANSWERS: [Answer; 4] = [Answer::Yes, Answer::No, Answer::Blocked, Answer::Code];

impl Deed {
    /// Whether something is another than before, where this is the answer.
    pub(crate) fn changes(self, answer: Answer) -> bool {
        let only_asks = matches!(self, Self::Admit | Self::IsAllowed | Self::IsBlocked | Self::IsWaiting);
        answer == Answer::Code || (answer == Answer::Yes && !only_asks)
    }
}

/// How a sender stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) struct Standing {
    pub(crate) allowed: bool,
    pub(crate) blocked: bool,
    /// Whether a request is on file. Of someone who is allowed it is a leftover that the next transaction removes.
    pub(crate) has_request: bool,
    /// The era of the last code, for as long as its hour runs.
    coded: Option<u32>,
}

/// Eras are 21 minutes apart: a code of one era works in two more, and the third of these is past its hour.
pub(crate) const ERA: std::time::Duration = std::time::Duration::from_secs(21 * 60);
const HOUR: u32 = 3;

impl Standing {
    pub(crate) fn waits(self) -> bool {
        self.has_request && !self.allowed
    }

    /// What a deed may be answered here, what its first durable step makes of the sender, and whether there is a second
    /// one: it is always that the request goes.
    fn first_step(self, deed: Deed, era: u32) -> Vec<(Answer, Self, bool)> {
        let if_new = |is_new: bool| if is_new { Answer::Yes } else { Answer::No };
        let asked = |is_so: bool| vec![(if_new(is_so), self, false)];
        let without = |answer| vec![(answer, self, false)];
        match deed {
            Deed::Admit => {
                let is_in = self.allowed && !self.blocked;
                let mut answers = Vec::new();
                if is_in {
                    answers.push((Answer::Yes, self, false));
                } else {
                    // Which of the words of a refusal is said may rest on files of two moments.
                    answers.push((Answer::No, self, false));
                }
                if self.blocked {
                    answers.push((Answer::Blocked, self, false));
                }
                if !is_in && !self.blocked && self.coded.is_none() {
                    let coded = Self { has_request: true, coded: Some(era), ..self };
                    answers.push((Answer::Code, coded, false));
                }
                answers
            }
            Deed::Approve | Deed::Reject | Deed::RejectAndBlock if !self.waits() => without(Answer::No),
            Deed::Approve | Deed::Allow if self.blocked => without(Answer::Blocked),
            Deed::Approve => vec![(Answer::Yes, Self { allowed: true, ..self }, true)],
            Deed::Reject => vec![(Answer::Yes, Self { has_request: false, ..self }, false)],
            Deed::RejectAndBlock => vec![(Answer::Yes, Self { blocked: true, ..self }, true)],
            Deed::Allow => vec![(if_new(!self.allowed), Self { allowed: true, ..self }, true)],
            Deed::Revoke => vec![(if_new(self.allowed), Self { allowed: false, ..self }, true)],
            Deed::Block => vec![(if_new(!self.blocked), Self { blocked: true, ..self }, true)],
            Deed::Unblock => vec![(if_new(self.blocked), Self { blocked: false, ..self }, false)],
            Deed::IsAllowed => asked(self.allowed),
            Deed::IsBlocked => asked(self.blocked),
            Deed::IsWaiting => asked(self.waits()),
        }
    }
}

/// A deed under way: not begun, or how it will be answered and whether a step is left.
type UnderWay = (Deed, Option<(Answer, bool)>);

/// One way in which everything may have come about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct Course {
    standing: Standing,
    under_way: BTreeMap<u8, UnderWay>,
}

impl Course {
    fn reached(&self, who: u8) -> Option<(Answer, bool)> {
        self.under_way.get(&who)?.1
    }

    fn has_ended(&self, who: u8) -> bool {
        self.reached(who).is_some_and(|(_, is_half)| !is_half)
    }

    fn without(mut self, who: u8) -> Self {
        self.under_way.remove(&who);
        self
    }

    /// What may be next.
    fn next(&self, era: u32) -> Vec<Self> {
        let mut next = Vec::new();
        let with = |who: u8, deed: Deed, to: (Answer, bool), standing: Standing| {
            let mut course = Self { standing, ..self.clone() };
            course.under_way.insert(who, (deed, Some(to)));
            course
        };
        for (who, (deed, reached)) in &self.under_way {
            match *reached {
                None => {
                    for (answer, standing, is_half) in self.standing.first_step(*deed, era) {
                        next.push(with(*who, *deed, (answer, is_half), standing));
                    }
                }
                Some((answer, true)) => {
                    let standing = Standing { has_request: false, ..self.standing };
                    next.push(with(*who, *deed, (answer, false), standing));
                }
                Some((_, false)) => {}
            }
        }
        if self.standing.allowed && self.standing.has_request {
            next.push(Self { standing: Standing { has_request: false, ..self.standing }, ..self.clone() });
        }
        next
    }
}

/// What may be true, sender by sender.
#[derive(Default)]
pub(crate) struct Ledger {
    era: u32,
    senders: BTreeMap<String, Page>,
}

/// What is known of one sender.
struct Page {
    courses: BTreeSet<Course>,
    /// What was said, for whoever has to find out what went wrong.
    said: Vec<String>,
}

impl Default for Page {
    fn default() -> Self {
        Self { courses: [Course::default()].into(), said: Vec::new() }
    }
}

impl Ledger {
    pub(crate) fn begins(&mut self, who: u8, deed: Deed, sender: &str) {
        let page = self.page(sender, format!("{who} begins {deed:?}"));
        let begun = |mut course: Course| {
            course.under_way.insert(who, (deed, None));
            course
        };
        page.courses = std::mem::take(&mut page.courses).into_iter().map(begun).collect();
    }

    /// A process was told the answer. `Err` says what was said of the sender, if it can't be true.
    pub(crate) fn ends(&mut self, who: u8, sender: &str, answer: Answer) -> Result<(), String> {
        let era = self.era;
        let page = self.page(sender, format!("{who} is told {answer:?}"));
        let mut courses = orders(&page.courses, era, |course| course.has_ended(who));
        courses.retain(|course| course.reached(who) == Some((answer, false)));
        page.courses = courses.into_iter().map(|course| course.without(who)).collect();
        match page.courses.is_empty() {
            true => Err(format!("{sender}, era {era}: no order of this makes sense: {:#?}", page.said)),
            false => Ok(()),
        }
    }

    /// A process died: what it was doing may have come to any step, and goes no further.
    pub(crate) fn dies(&mut self, who: u8) {
        let era = self.era;
        for page in self.senders.values_mut() {
            if page.courses.iter().any(|course| course.under_way.contains_key(&who)) {
                page.said.push(format!("{who} dies"));
                let courses = orders(&page.courses, era, |course| course.has_ended(who));
                page.courses = courses.into_iter().map(|course| course.without(who)).collect();
            }
        }
    }

    /// Time goes by, while nobody does anything.
    pub(crate) fn next_era(&mut self) {
        self.era += 1;
        let era = self.era;
        let aged = |mut course: Course| {
            if course.standing.coded.is_some_and(|coded| coded + HOUR <= era) {
                course.standing = Standing { coded: None, has_request: false, ..course.standing };
            }
            course
        };
        for page in self.senders.values_mut() {
            page.said.push(format!("era {era}"));
            page.courses = std::mem::take(&mut page.courses).into_iter().map(aged).collect();
        }
    }

    /// How a sender may stand on disk at this moment.
    pub(crate) fn standings(&self, sender: &str) -> BTreeSet<Standing> {
        let Some(page) = self.senders.get(sender) else { return [Standing::default()].into() };
        orders(&page.courses, self.era, |_| false).into_iter().map(|course| course.standing).collect()
    }

    pub(crate) fn said_of(&self, sender: &str) -> &[String] {
        self.senders.get(sender).map_or(&[], |page| &page.said)
    }

    fn page(&mut self, sender: &str, said: String) -> &mut Page {
        let page = self.senders.entry(sender.to_owned()).or_default();
        page.said.push(said);
        page
    }
}

/// What the courses may come to. Where `is_enough`, what is under way beside is followed another time.
fn orders(courses: &BTreeSet<Course>, era: u32, is_enough: impl Fn(&Course) -> bool) -> BTreeSet<Course> {
    let mut found = courses.clone();
    let mut left: Vec<Course> = courses.iter().cloned().collect();
    while let Some(course) = left.pop() {
        if is_enough(&course) {
            continue;
        }
        for next in course.next(era) {
            if found.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    found
}

/// The ledger sees what it is there to see.
#[test]
fn what_makes_no_sense_is_noticed() {
    let told = |ledger: &mut Ledger, who, deed, answer| {
        ledger.begins(who, deed, "s");
        ledger.ends(who, "s", answer)
    };
    let coded = || {
        let mut ledger = Ledger::default();
        told(&mut ledger, 1, Deed::Admit, Answer::Code).unwrap();
        ledger
    };
    // In without a word of the owner; a code twice in the hour; a code that works twice; an approval that is lost.
    assert!(told(&mut coded(), 1, Deed::Admit, Answer::Yes).is_err());
    assert!(told(&mut coded(), 1, Deed::Admit, Answer::Code).is_err());
    let mut ledger = coded();
    told(&mut ledger, 2, Deed::Approve, Answer::Yes).unwrap();
    assert!(told(&mut ledger, 2, Deed::Approve, Answer::Yes).is_err());
    let mut ledger = coded();
    told(&mut ledger, 2, Deed::Approve, Answer::Yes).unwrap();
    assert!(told(&mut ledger, 3, Deed::IsAllowed, Answer::No).is_err());
    // An approval under way, or one whose process died, is there or not; and then it stays so.
    for dies in [false, true] {
        let mut ledger = coded();
        ledger.begins(2, Deed::Approve, "s");
        if dies {
            ledger.dies(2);
        }
        assert!(ledger.standings("s").iter().any(|standing| standing.allowed));
        assert!(ledger.standings("s").iter().any(|standing| standing.waits()));
        told(&mut ledger, 3, Deed::IsAllowed, Answer::Yes).unwrap();
        assert!(told(&mut ledger, 3, Deed::IsWaiting, Answer::Yes).is_err());
    }
    // After the hour the code does not work, and there may be another one.
    let mut ledger = coded();
    (0..HOUR).for_each(|_| ledger.next_era());
    told(&mut ledger, 2, Deed::Approve, Answer::No).unwrap();
    told(&mut ledger, 1, Deed::Admit, Answer::Code).unwrap();
}
