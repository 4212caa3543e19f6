//! What `doctor` says about the state directory. It reads everything and changes nothing.

mod records;

use std::path::Path;

use rustix::fs::Mode;
use rustix::process::geteuid;

use super::disk::{Dir, Inspection};
use super::document::{AllowDocument, PendingDocument};
use super::journal::Journal;
use super::lock::{self, Standing};
use super::{Inner, names, trouble};
use crate::clock::Timestamp;
use crate::message::{ChannelId, SenderId};

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Good to know.
    Note,
    /// Works, but should be mended.
    Warning,
    /// Something does not work until it is mended.
    Error,
}

/// Something about the state directory that the owner should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about: a path.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What mends it; empty where the problem itself says so.
    pub mend: String,
}

/// The mend of trouble whose own text says what to do.
const AS_IT_SAYS: &str = "";

/// What a file of the directory is.
enum Role {
    Pending,
    Allowed(ChannelId),
    Journal,
    Sidecar,
    Leftover,
    Other,
}

pub(super) fn inspect(inner: &Inner) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new(), now: inner.world.clock.now() };
    let state = &inner.options.state_dir;
    match Dir::open(state) {
        Ok(dir) => report.directory(&dir),
        Err(error) => report.say(Level::Error, state, trouble::fault(&error).detail(), AS_IT_SAYS),
    }
    report.above(state);
    match inner.freshness.place() {
        Ok(place) => {
            report.directory(&place.credentials);
            report.files(&place.credentials);
        }
        Err(error) => report.say(Level::Error, state, trouble::fault(&error).detail(), AS_IT_SAYS),
    }
    report.devices(state);
    report.nodes(state);
    if let Some(why) = inner.freshness.fall_back() {
        let mend = "nothing is wrong, but each message costs some system calls more; a local disk is faster";
        report.say(Level::Warning, state, &why, mend);
    }
    if !inner.options.shared_with_openclaw && state.join("openclaw.json").exists() {
        let problem = "an OpenClaw state directory, and dmgate does not know that it is shared";
        report.say(Level::Warning, state, problem, "set shared_with_openclaw = true under [store]");
    }
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    report.findings
}

struct Report {
    findings: Vec<Finding>,
    now: Timestamp,
}

impl Report {
    fn say(&mut self, level: Level, subject: &Path, problem: &str, mend: &str) {
        let (problem, mend) = (problem.to_owned(), mend.to_owned());
        self.findings.push(Finding { level, subject: subject.display().to_string(), problem, mend });
    }

    fn directory(&mut self, dir: &Dir) {
        let facts = dir.facts();
        if facts.mode & 0o055 != 0 {
            self.say(Level::Warning, dir.path(), "others can look into it", "run `chmod 700` on it");
        }
        if geteuid().is_root() && facts.uid != 0 {
            let problem =
                format!("belongs to user {}; what root writes here is given to that user", facts.uid);
            self.say(Level::Note, dir.path(), &problem, "run dmgate as that user to be sure");
        }
    }

    /// Where everybody may write above the state directory, everybody may put another in its place. Not an error: many a
    /// container's volume is like that, with nobody else in it.
    fn above(&mut self, state: &Path) {
        let Ok(state) = state.canonicalize() else { return };
        for folder in state.ancestors().skip(1) {
            let Ok(facts) = rustix::fs::stat(folder) else { continue };
            let mode = Mode::from_raw_mode(facts.st_mode);
            if mode.contains(Mode::WOTH) && !mode.contains(Mode::SVTX) {
                let problem = "everybody can put another directory in the place of the one with the state";
                self.say(
                    Level::Warning,
                    folder,
                    problem,
                    "run `chmod o-w` on it, or keep the state elsewhere",
                );
            }
        }
    }

    fn files(&mut self, dir: &Dir) {
        let names = match dir.list() {
            Ok(names) => names,
            Err(error) => {
                return self.say(Level::Error, dir.path(), trouble::fault(&error).detail(), AS_IT_SAYS);
            }
        };
        let channels: Vec<ChannelId> =
            names.iter().filter_map(|name| names::channel_of_pending(name)).collect();
        for name in &names {
            let path = dir.path().join(name);
            let role = role_of(name);
            match &role {
                Role::Sidecar => self.sidecar(dir, name),
                Role::Leftover => self.leftover(&path),
                Role::Other => {}
                Role::Pending | Role::Allowed(_) | Role::Journal => self.state_file(dir, name, &role),
            }
        }
        for channel in &channels {
            self.default_lists(dir, channel);
        }
    }

    fn state_file(&mut self, dir: &Dir, name: &str, role: &Role) {
        let path = dir.path().join(name);
        let Some(contents) = self.contents(dir, name) else { return };
        let ahead = |at: i64| at > self.now.as_millis();
        let (trouble, ahead) = match role {
            Role::Pending => match PendingDocument::parse(&contents) {
                Ok(document) => (None, document.requests().any(|r| r.created_at.is_some_and(ahead))),
                Err(error) => {
                    (Some(format!("{error}; until then no new code is given on this channel")), false)
                }
            },
            Role::Journal => match Journal::parse(&contents) {
                Ok(journal) => (None, journal.record.hours.iter().any(|hour| hour.is_ahead_of(self.now))),
                Err(error) => (Some(format!("{error}; until then nobody is let in on this channel")), false),
            },
            Role::Allowed(channel) => match AllowDocument::parse(&contents) {
                Ok(document) => {
                    self.strange_entries(&path, channel, &document);
                    (None, false)
                }
                Err(error) => (Some(format!("{error}; until then nobody is let in on this account")), false),
            },
            Role::Sidecar | Role::Leftover | Role::Other => (None, false),
        };
        if let Some(problem) = trouble {
            self.damaged(&path, &problem);
        }
        if ahead {
            self.ahead(&path);
        }
    }

    /// What is in a file; it is told of who can read it, and of why we can't.
    fn contents(&mut self, dir: &Dir, name: &str) -> Option<Vec<u8>> {
        let path = dir.path().join(name);
        let facts: Option<Inspection> = dir.inspect(name).ok().flatten();
        if facts.is_some_and(|facts| facts.is_readable_by_others() && !facts.is_writable_by_others()) {
            let mend = "run `chmod 600` on it; dmgate does so at its next write";
            self.say(Level::Warning, &path, "others can read it", mend);
        }
        let contents = dir.read(name);
        if let Err(error) = &contents {
            self.say(Level::Error, &path, trouble::fault(error).detail(), AS_IT_SAYS);
        }
        contents.ok().flatten().map(|contents| contents.bytes)
    }

    fn damaged(&mut self, path: &Path, problem: &str) {
        let mend = "mend the file by hand, or put a copy back; dmgate leaves it as it is";
        self.say(Level::Error, path, problem, mend);
    }

    fn ahead(&mut self, path: &Path) {
        let problem = "holds times later than now: a clock ran ahead";
        self.say(
            Level::Warning,
            path,
            problem,
            "check the clock; the times count from now on when next needed",
        );
    }

    fn leftover(&mut self, path: &Path) {
        let problem = "left behind by a program that was cut off while it wrote";
        self.say(Level::Note, path, problem, "remove it, once no program writes");
    }

    fn strange_entries(&mut self, path: &Path, channel: &ChannelId, document: &AllowDocument) {
        let is_strange = |entry: &str| SenderId::parse_entry(channel, entry).is_err();
        let strange = document.entries().filter(|entry| is_strange(entry)).count();
        if strange > 0 {
            let problem = format!(
                "{strange} entries are no ids of {channel}, and match nobody (`*` never counts here)"
            );
            self.say(Level::Note, path, &problem, &format!("`dmgate allow list {channel}` shows them"));
        }
    }

    fn default_lists(&mut self, dir: &Dir, channel: &ChannelId) {
        let account = crate::message::AccountKey::default_of(channel.clone());
        let entries = |name: &String| -> Option<Vec<String>> {
            let contents = dir.read(name).ok()??;
            let document = AllowDocument::parse(&contents.bytes).ok()?;
            let mut entries: Vec<String> = document.entries().map(std::borrow::Cow::into_owned).collect();
            entries.sort();
            Some(entries)
        };
        let lists: Vec<Vec<String>> = names::allowed(&account).iter().filter_map(entries).collect();
        if let [one, other] = lists.as_slice()
            && one != other
        {
            let problem = format!("the default account of {channel} has two lists that differ; both count");
            let mend =
                format!("nothing to do; `dmgate allow remove {channel} SENDER` takes a sender out of both");
            self.say(Level::Note, dir.path(), &problem, &mend);
        }
    }

    fn sidecar(&mut self, dir: &Dir, name: &str) {
        let path = dir.path().join(name);
        let of = name.strip_suffix(".lock").unwrap_or(name);
        let Ok(Some(holding)) = lock::inspect(dir, of, self.now.as_millis()) else { return };
        let holder =
            holding.pid.map_or_else(|| "an unknown process".to_owned(), |pid| format!("process {pid}"));
        let since = Timestamp::from_millis(holding.since);
        match holding.standing {
            Standing::Held => {
                let problem = format!("held by {holder} since {since}");
                self.say(Level::Note, &path, &problem, "nothing to do, if that process is at work");
            }
            Standing::Stale(why) => {
                let problem = format!("left behind by {holder} at {since}: {why}");
                self.say(Level::Note, &path, &problem, "nothing to do: the next write takes it over");
            }
        }
    }
}

fn role_of(name: &str) -> Role {
    if name.ends_with("-dmgate.lock") {
        Role::Other
    } else if name.ends_with(".lock") {
        Role::Sidecar
    } else if name.ends_with(".tmp") {
        Role::Leftover
    } else if name.ends_with("-dmgate.jsonl") {
        Role::Journal
    } else if names::channel_of_pending(name).is_some() {
        Role::Pending
    } else {
        names::channel_of_allowed(name).map_or(Role::Other, Role::Allowed)
    }
}
