//! The table: what was measured, beside its floor and its bar.

use std::fmt::{self, Display, Formatter};

use crate::race::Race;

/// One line.
pub(crate) struct Line {
    what: String,
    measured: String,
    floor: String,
    ratio: String,
    bar: String,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Met,
    NotMet,
    /// The machine can't do it at the moment, whatever the program.
    Busy,
    /// Another command measures it.
    Elsewhere,
    /// None of ours; it stands there to be compared with.
    Beside,
}

/// Prints lines as they come, and counts them.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

impl Table {
    pub(crate) fn head() {
        let head = |what: &str| what.to_owned();
        let line = Line {
            what: head("what"),
            measured: head("measured"),
            floor: head("floor"),
            ratio: head("ratio"),
            bar: head("bar"),
            verdict: Verdict::Elsewhere,
        };
        println!("{line}");
    }

    pub(crate) fn add(&mut self, line: Line) {
        println!("{line}");
        self.lines.push(line);
    }

    /// How many were met, and how many not.
    pub(crate) fn sum(&self) -> String {
        let count = |wanted| self.lines.iter().filter(|line| line.verdict == wanted).count();
        let (met, not) = (count(Verdict::Met), count(Verdict::NotMet));
        let (busy, elsewhere) = (count(Verdict::Busy), count(Verdict::Elsewhere));
        format!("{met} met, {not} not met, {busy} not to be told on this machine now, {elsewhere} elsewhere")
    }
}

impl Line {
    /// At most so many times its floor.
    pub(crate) fn ratio(what: impl Into<String>, race: &Race, at_most: f64) -> Self {
        Self {
            what: what.into(),
            measured: time(race.subject),
            floor: time(race.floor),
            ratio: format!("{:.2}×", race.ratio),
            bar: format!("≤ {at_most}×"),
            verdict: Verdict::of(race.ratio <= at_most),
        }
    }

    /// At most so many nanoseconds beyond its floor.
    pub(crate) fn beyond(what: impl Into<String>, race: &Race, at_most: f64) -> Self {
        Self {
            measured: format!("{} (+{})", time(race.subject), time(race.beyond.max(0.0))),
            bar: format!("≤ +{}", time(at_most)),
            verdict: Verdict::of(race.beyond <= at_most),
            ..Self::ratio(what, race, f64::INFINITY)
        }
    }

    /// What the next lines are to be compared with.
    pub(crate) fn beside(what: impl Into<String>, race: &Race) -> Self {
        Self { bar: String::new(), verdict: Verdict::Beside, ..Self::ratio(what, race, f64::INFINITY) }
    }

    /// A figure that needs no floor.
    pub(crate) fn figure(what: impl Into<String>, found: f64, at_most: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            measured: format!("{}{unit}", number(found)),
            floor: String::new(),
            ratio: String::new(),
            bar: if at_most == 0.0 { "0".to_owned() } else { format!("≤ {}{unit}", number(at_most)) },
            verdict: Verdict::of(found <= at_most),
        }
    }

    /// How many times as much two threads do as one; the floor is what the machine itself gains.
    pub(crate) fn gain(what: impl Into<String>, gain: f64, machine: f64, at_least: f64) -> Self {
        let met = Verdict::of(gain >= at_least);
        Self {
            what: what.into(),
            measured: format!("{gain:.2}×"),
            floor: format!("{machine:.2}×"),
            ratio: format!("{:.2}×", gain / machine),
            bar: format!("≥ {at_least}×"),
            verdict: if met == Verdict::NotMet && machine < at_least { Verdict::Busy } else { met },
        }
    }

    /// So many of so many.
    pub(crate) fn all(what: impl Into<String>, found: usize, of: usize) -> Self {
        Self {
            measured: format!("{found} of {of}"),
            bar: "all".to_owned(),
            ..Self::figure(what, (of - found) as f64, 0.0, "")
        }
    }

    /// What another command measures.
    pub(crate) fn elsewhere(what: &str, bar: &str, place: &str) -> Self {
        Self {
            what: what.to_owned(),
            measured: place.to_owned(),
            floor: String::new(),
            ratio: String::new(),
            bar: bar.to_owned(),
            verdict: Verdict::Elsewhere,
        }
    }
}

impl Verdict {
    fn of(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::NotMet }
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Met => "met",
            Verdict::NotMet => "NOT MET",
            Verdict::Busy => "machine busy",
            Verdict::Elsewhere | Verdict::Beside => "",
        };
        let Self { what, measured, floor, ratio, bar, .. } = self;
        let line = format!("{what:58} {measured:>19} {floor:>10} {ratio:>8} {bar:>10}  {verdict}");
        f.write_str(line.trim_end())
    }
}

/// Nanoseconds in a unit that fits.
fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

/// A whole number as such, any other with two digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
