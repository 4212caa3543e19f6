//! The rules of pairing as `docs/SURFACE.md` tells them, done in the plainest way: lists that only grow, looked through
//! from front to back.

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A sender: the primary id, then authenticated aliases.
pub(crate) type Ids = Vec<String>;

#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) account: String,
    pub(crate) ids: Ids,
    pub(crate) code: String,
    pub(crate) at: i64,
    pub(crate) ttl: i64,
    /// The neighbour made it.
    pub(crate) foreign: bool,
    /// Our record knows of it.
    pub(crate) recorded: bool,
}

/// A code that was given.
#[derive(Clone, Debug)]
struct Given {
    account: String,
    ids: Ids,
    at: i64,
    /// When it was first seen to lie ahead.
    seen: Option<i64>,
    /// How long the machine had been running, where we gave it.
    uptime: Option<i64>,
}

/// One channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channel {
    pub(crate) waiting: Vec<Waiting>,
    given: Vec<Given>,
    pub(crate) listed: Vec<(String, String)>,
    blocked: Vec<(String, String)>,
    /// (account, alias, primary)
    behind: Vec<(String, String, String)>,
    wrong: u32,
    locked_until: Option<i64>,
    /// The cap counts the requests of one account.
    pub(crate) per_account: bool,
    /// On purpose: see `a_model_that_forgets_is_caught`.
    pub(crate) forgets_hours: bool,
}

/// What the owner points at.
#[derive(Clone, Debug)]
pub(crate) enum Pointed {
    Code(String),
    Sender(String),
    /// The place of the request among those that wait.
    Place(usize),
}

fn meets(one: &[String], other: &[String]) -> bool {
    one.iter().any(|id| other.contains(id))
}

impl Waiting {
    pub(crate) fn is_live(&self, now: i64) -> bool {
        now - self.at <= self.ttl
    }
}

impl Given {
    /// A new code needs strictly more than 3,600 s, on the machine's own clock too; a stamp later than now counts from when
    /// it was first seen.
    fn counts(&self, now: i64, uptime: i64) -> bool {
        let runs = |from: i64| from <= now && now - from <= HOUR;
        match self.seen {
            _ if self.uptime.is_some_and(|then| uptime - then <= HOUR) => true,
            None => self.at > now || runs(self.at),
            Some(seen) => seen > now || runs(seen) || runs(self.at),
        }
    }

    fn is_ahead(&self, now: i64) -> bool {
        self.seen.unwrap_or(self.at) > now
    }
}

impl Channel {
    fn is_listed(&self, account: &str, id: &str) -> bool {
        self.listed.iter().any(|(of, listed)| of == account && listed == id)
    }

    fn is_blocked(&self, account: &str, ids: &[String]) -> bool {
        self.blocked.iter().any(|(of, blocked)| of == account && ids.contains(blocked))
    }

    /// What any look with the locks in hand does first.
    fn sight(&mut self, now: i64) {
        let listed = self.listed.clone();
        let is_in = |w: &Waiting| listed.contains(&(w.account.clone(), w.ids[0].clone()));
        self.waiting.retain(|w| w.is_live(now) && !is_in(w));
        for given in self.given.iter_mut().filter(|given| given.is_ahead(now)) {
            given.seen = Some(now);
        }
        for waiting in &mut self.waiting {
            if waiting.foreign && !waiting.recorded {
                let (account, ids, at) = (waiting.account.clone(), waiting.ids.clone(), waiting.at);
                self.given.push(Given { account, ids, at, seen: (at > now).then_some(now), uptime: None });
                waiting.recorded = true;
            }
            if waiting.at > now {
                waiting.at = now;
                waiting.recorded = !waiting.foreign;
            }
        }
        self.locked_until = self.locked_until.map(|until| until.min(now + 15 * MINUTE));
    }

    fn has_stamp_ahead(&self, now: i64) -> bool {
        self.waiting.iter().any(|w| w.at > now) || self.given.iter().any(|given| given.is_ahead(now))
    }

    /// Somebody writes: the reason, and what the code would be good for.
    pub(crate) fn knock(&mut self, account: &str, ids: &Ids, now: i64, uptime: i64) -> &'static str {
        if self.is_blocked(account, ids) {
            return "blocked";
        }
        if self.is_listed(account, &ids[0]) {
            return "allowlisted";
        }
        for alias in &ids[1..] {
            if self.is_listed(account, alias) {
                let behind = self.behind.iter().find(|(of, entry, _)| of == account && entry == alias);
                match behind {
                    Some((_, _, primary)) if *primary != ids[0] => {}
                    Some(_) => return "allowlisted",
                    None => {
                        self.behind.push((account.to_owned(), alias.clone(), ids[0].clone()));
                        self.sight(now);
                        return "allowlisted";
                    }
                }
            }
        }
        if self.has_stamp_ahead(now) {
            self.sight(now);
        }
        let live = |w: &&Waiting| w.is_live(now);
        if self.waiting.iter().filter(live).any(|w| w.account == account && meets(&w.ids, ids)) {
            return "already_pending";
        }
        let same =
            |given: &Given| given.account == account && meets(&given.ids, ids) && given.counts(now, uptime);
        if !self.forgets_hours && self.given.iter().any(same) {
            return "hour_used";
        }
        let counted = |w: &&Waiting| !self.per_account || w.account == account;
        if self.waiting.iter().filter(live).filter(counted).count() >= 3 {
            return "pending_full";
        }
        self.sight(now);
        "pairing_required"
    }

    /// The code that was given, with what it was given for.
    pub(crate) fn issued(&mut self, waiting: Waiting, uptime: i64) {
        let (account, ids, at) = (waiting.account.clone(), waiting.ids.clone(), waiting.at);
        self.given.push(Given { account, ids, at, seen: None, uptime: Some(uptime) });
        self.waiting.push(waiting);
    }

    fn find(&self, pointed: &Pointed, account: Option<&str>) -> Result<usize, &'static str> {
        let named = |w: &Waiting| account.is_none_or(|account| w.account == account);
        let found: Vec<usize> = (0..self.waiting.len())
            .filter(|at| {
                let waiting = &self.waiting[*at];
                named(waiting)
                    && match pointed {
                        Pointed::Code(code) => waiting.code == *code,
                        Pointed::Sender(id) => waiting.ids.contains(id),
                        Pointed::Place(place) => at == place,
                    }
            })
            .collect();
        match (found.as_slice(), pointed) {
            ([], _) => Err("not found"),
            ([_, _, ..], Pointed::Sender(_)) => Err("ambiguous"),
            ([first, ..], _) => Ok(*first),
        }
    }

    fn meant(
        &mut self,
        pointed: &Pointed,
        account: Option<&str>,
        remote: bool,
        now: i64,
    ) -> Result<usize, &'static str> {
        // A place is one of the list before it was looked through.
        let pointed = match pointed {
            Pointed::Place(place) => {
                let before = self.waiting.get(*place).cloned();
                self.sight(now);
                let still = |w: &Waiting| before.as_ref().is_some_and(|b| b.code == w.code && b.ids == w.ids);
                Pointed::Place(self.waiting.iter().position(still).unwrap_or(usize::MAX))
            }
            other => {
                self.sight(now);
                other.clone()
            }
        };
        let counts = remote && matches!(pointed, Pointed::Code(_));
        if counts && self.locked_until.is_some_and(|until| now < until) {
            return Err("locked out");
        }
        let found = self.find(&pointed, account);
        if counts && found.is_err() {
            self.wrong = if self.locked_until.take().is_some() { 1 } else { self.wrong + 1 };
            self.locked_until = (self.wrong >= 5).then_some(now + 15 * MINUTE);
        }
        found
    }

    fn row_ended(&mut self, pointed: &Pointed, remote: bool) {
        if remote && matches!(pointed, Pointed::Code(_)) && self.wrong > 0 {
            (self.wrong, self.locked_until) = (0, None);
        }
    }

    pub(crate) fn approve(
        &mut self,
        pointed: &Pointed,
        account: Option<&str>,
        remote: bool,
        now: i64,
    ) -> Result<String, &'static str> {
        let at = self.meant(pointed, account, remote, now)?;
        let waiting = self.waiting[at].clone();
        if self.is_blocked(&waiting.account, &waiting.ids) {
            return Err("blocked");
        }
        self.waiting.remove(at);
        self.list(&waiting.account, &waiting.ids[0]);
        self.row_ended(pointed, remote);
        Ok(waiting.ids[0].clone())
    }

    pub(crate) fn reject(
        &mut self,
        pointed: &Pointed,
        remote: bool,
        block: bool,
        now: i64,
    ) -> Result<String, &'static str> {
        let at = self.meant(pointed, None, remote, now)?;
        let waiting = self.waiting.remove(at);
        self.row_ended(pointed, remote);
        if block {
            self.blocked.extend(waiting.ids.iter().map(|id| (waiting.account.clone(), id.clone())));
        }
        Ok(waiting.ids[0].clone())
    }

    fn list(&mut self, account: &str, id: &str) {
        if !self.is_listed(account, id) {
            self.listed.push((account.to_owned(), id.to_owned()));
        }
    }

    fn close(&mut self, account: &str, id: &str) -> Vec<Waiting> {
        let theirs = |w: &Waiting| w.account == account && w.ids.iter().any(|own| own == id);
        let closed = self.waiting.iter().filter(|w| theirs(w)).cloned().collect();
        self.waiting.retain(|w| !theirs(w));
        closed
    }

    fn forget_primary(&mut self, account: &str, id: &str) {
        self.behind.retain(|(of, entry, _)| of != account || entry != id);
    }

    pub(crate) fn allow(&mut self, account: &str, id: &str, now: i64) -> Result<bool, &'static str> {
        self.sight(now);
        if self.is_blocked(account, &[id.to_owned()]) {
            return Err("blocked");
        }
        self.close(account, id);
        self.forget_primary(account, id);
        let is_new = !self.is_listed(account, id);
        self.list(account, id);
        Ok(is_new)
    }

    pub(crate) fn revoke(&mut self, account: &str, id: &str, now: i64) -> (usize, usize) {
        self.sight(now);
        let closed = self.close(account, id).len();
        self.forget_primary(account, id);
        let before = self.listed.len();
        self.listed.retain(|(of, listed)| of != account || listed != id);
        (before - self.listed.len(), closed)
    }

    pub(crate) fn block(&mut self, account: &str, id: &str, now: i64) -> bool {
        self.sight(now);
        let is_new = !self.is_blocked(account, &[id.to_owned()]);
        let closed = self.close(account, id);
        let ids = closed.into_iter().flat_map(|w| w.ids).chain([id.to_owned()]);
        self.blocked.extend(ids.map(|id| (account.to_owned(), id)));
        is_new
    }

    pub(crate) fn unblock(&mut self, account: &str, id: &str, now: i64) -> bool {
        self.sight(now);
        let was = self.is_blocked(account, &[id.to_owned()]);
        self.blocked.retain(|(of, blocked)| of != account || blocked != id);
        was
    }

    /// What a listing shows: oldest first.
    pub(crate) fn shown(&self, now: i64) -> Vec<Waiting> {
        let is_in = |w: &Waiting| self.is_listed(&w.account, &w.ids[0]);
        let mut shown: Vec<Waiting> =
            self.waiting.iter().filter(|w| w.is_live(now) && !is_in(w)).cloned().collect();
        shown.sort_by_key(|w| w.at);
        shown
    }

    pub(crate) fn blocked_of(&self, account: &str) -> Vec<String> {
        let mut ids: Vec<String> =
            self.blocked.iter().filter(|(of, _)| of == account).map(|(_, id)| id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    // === What the neighbour does ===

    /// It leaves out what is older than an hour, and keeps to three.
    pub(crate) fn foreign_add(&mut self, waiting: Waiting, now: i64) -> bool {
        self.waiting.retain(|w| now - w.at <= HOUR);
        let same = |w: &Waiting| w.account == waiting.account && w.ids[0] == waiting.ids[0];
        if self.waiting.len() >= 3 || self.waiting.iter().any(same) {
            return false;
        }
        self.waiting.push(waiting);
        true
    }

    pub(crate) fn foreign_drop(&mut self, place: usize) -> Option<Waiting> {
        (place < self.waiting.len()).then(|| self.waiting.remove(place))
    }

    pub(crate) fn foreign_list(&mut self, account: &str, id: &str) {
        self.list(account, id);
    }

    pub(crate) fn foreign_unlist(&mut self, account: &str, id: &str) {
        self.listed.retain(|(of, listed)| of != account || listed != id);
    }
}
