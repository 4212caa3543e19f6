//! The rules of device pairing as `docs/SURFACE.md` tells them, done in the plainest way. Rights are bits, and a set is
//! always written with all that it gives; that a session was ended is remembered, and not worked out.

use std::collections::BTreeMap;

use super::operation::{Asking, By};

/// What a bit stands for.
pub(crate) const RIGHTS: [&str; 5] =
    ["operator.admin", "operator.read", "operator.write", "operator.pairing", "node.x"];

const ADMIN: u8 = 1;
const READ: u8 = 2;
const WRITE: u8 = 4;
pub(crate) const PAIRING: u8 = 8;
const ALL_OF_OPERATORS: u8 = 15;

/// The most requests, and the most setup codes.
const MOST: usize = 32;

/// Everything that these rights give.
pub(crate) fn whole(rights: u8) -> u8 {
    let admin = if rights & ADMIN != 0 { ALL_OF_OPERATORS } else { 0 };
    let write = if (rights | admin) & WRITE != 0 { READ } else { 0 };
    rights | admin | write
}

pub(crate) fn is_within(small: u8, great: u8) -> bool {
    small & !great == 0
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) devices: BTreeMap<u8, Known>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) codes: Vec<Code>,
    pub(crate) sessions: Vec<Live>,
    /// How many tokens there were. A token is its number.
    pub(crate) tokens: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) machine: u8,
    /// By whether it is a node.
    pub(crate) roles: BTreeMap<bool, Held>,
    pub(crate) approved: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) token: usize,
    pub(crate) rights: u8,
    /// What was approved last in this role.
    pub(crate) deal: u8,
    pub(crate) revoked: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) ask: Asking,
    at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Code {
    at: i64,
    pub(crate) serves: Option<u8>,
    pub(crate) dead: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) device: u8,
    pub(crate) node: bool,
    pub(crate) rights: u8,
    pub(crate) ended: bool,
}

/// What is shown: the number of a token or of a code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shows {
    Secret,
    Token(Option<usize>),
    Code(usize),
}

/// What comes of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Comes {
    /// With the token of this number, and what that gives.
    In(usize, u8),
    Asks(&'static str, bool),
    Full(&'static str),
    Refused(&'static str),
}

type Done<T = ()> = Result<T, &'static str>;

impl Code {
    pub(crate) fn works(&self, now: i64) -> bool {
        !self.dead && self.at <= now + 120_000 && now < self.at + 600_000
    }
}

impl Model {
    /// What is over goes, and a stamp that lies ahead is now.
    fn look(&mut self, now: i64) {
        for waiting in &mut self.waiting {
            waiting.at = waiting.at.min(now);
        }
        self.waiting.retain(|waiting| now - waiting.at < 300_000);
        for code in &mut self.codes {
            code.dead |= !code.works(now);
        }
    }

    pub(crate) fn stands(&self, session: &Live) -> bool {
        let held = self.devices.get(&session.device).and_then(|known| known.roles.get(&session.node));
        !session.ended && held.is_some_and(|held| !held.revoked && is_within(session.rights, held.rights))
    }

    pub(crate) fn connect(&mut self, ask: &Asking, shows: Shows, now: i64) -> Comes {
        self.look(now);
        let wanted = whole(ask.rights);
        let held = self.devices.get(&ask.device).and_then(|known| known.roles.get(&ask.node));
        let held = held.filter(|held| !held.revoked).cloned();
        match shows {
            Shows::Secret => {}
            Shows::Token(token) => {
                let is_it = held
                    .as_ref()
                    .is_some_and(|held| Some(held.token) == token && is_within(wanted, held.rights));
                if !is_it {
                    return Comes::Refused("token");
                }
            }
            Shows::Code(number) => {
                let code = self.codes.get_mut(number).filter(|code| code.works(now));
                match code.filter(|code| code.serves.is_none_or(|device| device == ask.device)) {
                    Some(code) if ask.node && ask.rights == 0 => code.serves = Some(ask.device),
                    _ => return Comes::Refused("code"),
                }
            }
        }
        let reason = match (self.devices.get(&ask.device), &held) {
            (None, _) => Some("not-paired"),
            (Some(known), _) if known.machine != 0 && known.machine != ask.machine => {
                Some("metadata-upgrade")
            }
            (_, None) => Some("role-upgrade"),
            (_, Some(held)) => (!is_within(wanted, held.rights)).then_some("scope-upgrade"),
        };
        if let Some(reason) = reason {
            let is_asked = !(reason == "not-paired" && ask.trusted && ask.node && ask.rights == 0);
            let is_new = match self.ask(ask, now) {
                None => return Comes::Full(reason),
                Some(is_new) => is_new,
            };
            if is_asked {
                return Comes::Asks(reason, is_new);
            }
            let at = self.waiting.iter().position(|waiting| waiting.ask.device == ask.device).unwrap();
            self.let_in(at);
        }
        if let Shows::Code(number) = shows {
            self.codes[number].dead = true;
        }
        let held = &self.devices[&ask.device].roles[&ask.node];
        let (token, rights) = (held.token, held.rights);
        self.sessions.push(Live { device: ask.device, node: ask.node, rights: wanted, ended: false });
        Comes::In(token, rights)
    }

    /// A device waits once. Says whether the request is another one than before; `None` where there is no place.
    fn ask(&mut self, ask: &Asking, now: i64) -> Option<bool> {
        let is_it = |was: &Asking| {
            (was.device, was.node, was.rights, was.machine, was.name)
                == (ask.device, ask.node, ask.rights, ask.machine, ask.name)
        };
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| is_it(&waiting.ask)) {
            waiting.at = now;
            return Some(false);
        }
        if self.waiting.iter().filter(|waiting| waiting.ask.device != ask.device).count() >= MOST {
            return None;
        }
        self.waiting.retain(|waiting| waiting.ask.device != ask.device);
        self.waiting.push(Waiting { ask: *ask, at: now });
        Some(true)
    }

    /// What who decides may give.
    fn power(&self, by: By) -> Done<u8> {
        match by {
            By::Owner => Ok(u8::MAX),
            By::Session(number) => {
                let session = self.sessions.get(number).ok_or("scope")?;
                let may = !session.node && self.stands(session) && session.rights & PAIRING != 0;
                if may { Ok(session.rights) } else { Err("scope") }
            }
        }
    }

    fn power_over(&self, device: u8, by: By) -> Done {
        let power = self.power(by)?;
        let known = self.devices.get(&device).ok_or("device")?;
        let is_itself = matches!(by, By::Session(number) if self.sessions[number].device == device);
        if is_itself || is_within(known.approved, power) { Ok(()) } else { Err("scope") }
    }

    fn let_in(&mut self, at: usize) {
        let ask = self.waiting.remove(at).ask;
        let known = self.devices.entry(ask.device).or_default();
        let rights = whole(ask.rights);
        known.machine = ask.machine;
        known.approved |= rights;
        let held = Held { token: self.tokens, rights, deal: rights, revoked: false };
        known.roles.insert(ask.node, held);
        self.tokens += 1;
    }

    /// `place` is `None` for a request that there is not.
    pub(crate) fn approve(&mut self, place: Option<u8>, by: By, now: i64) -> Done {
        self.look(now);
        let power = self.power(by)?;
        let at = self.waiting.iter().position(|waiting| Some(waiting.ask.device) == place);
        let at = at.ok_or("request")?;
        if !is_within(whole(self.waiting[at].ask.rights), power) {
            return Err("scope");
        }
        self.let_in(at);
        Ok(())
    }

    pub(crate) fn reject(&mut self, place: Option<u8>, by: By, now: i64) -> Done {
        self.look(now);
        self.power(by)?;
        let at = self.waiting.iter().position(|waiting| Some(waiting.ask.device) == place);
        let device = self.waiting.remove(at.ok_or("request")?).ask.device;
        self.codes.iter_mut().filter(|code| code.serves == Some(device)).for_each(|code| code.dead = true);
        Ok(())
    }

    /// It asks for nothing any more, and its sessions in these roles are over.
    fn send_away(&mut self, device: u8, is_over: impl Fn(bool) -> bool) {
        self.waiting.retain(|waiting| waiting.ask.device != device);
        self.codes.iter_mut().filter(|code| code.serves == Some(device)).for_each(|code| code.dead = true);
        let theirs = self.sessions.iter_mut().filter(|session| session.device == device);
        theirs.filter(|session| is_over(session.node)).for_each(|session| session.ended = true);
    }

    pub(crate) fn remove(&mut self, device: u8, by: By) -> Done {
        self.power_over(device, by)?;
        self.devices.remove(&device);
        self.send_away(device, |_| true);
        Ok(())
    }

    pub(crate) fn clear(&mut self, only_requests: bool, by: By, now: i64) -> Done<(usize, usize)> {
        self.look(now);
        self.power(by)?;
        let devices: Vec<u8> =
            if only_requests { Vec::new() } else { self.devices.keys().copied().collect() };
        for device in &devices {
            self.power_over(*device, by)?;
        }
        let requests = self.waiting.len();
        self.waiting.clear();
        self.codes.iter_mut().filter(|code| code.serves.is_some()).for_each(|code| code.dead = true);
        for device in &devices {
            self.devices.remove(device);
            self.send_away(*device, |_| true);
        }
        Ok((devices.len(), requests))
    }

    pub(crate) fn rotate(&mut self, device: u8, node: bool, rights: Option<u8>, by: By) -> Done {
        let power = self.power(by)?;
        let known = self.devices.get_mut(&device).ok_or("device")?;
        let held = known.roles.get_mut(&node).filter(|held| !held.revoked).ok_or("denied")?;
        let wanted = rights.map_or(held.rights, whole);
        if !is_within(wanted, held.rights) || !is_within(held.rights, power) {
            return Err("denied");
        }
        (held.rights, held.token) = (wanted, self.tokens);
        self.tokens += 1;
        Ok(())
    }

    pub(crate) fn revoke(&mut self, device: u8, node: bool, by: By) -> Done {
        self.power_over(device, by)?;
        let known = self.devices.get_mut(&device).ok_or("device")?;
        known.roles.get_mut(&node).ok_or("role")?.revoked = true;
        known.approved =
            known.roles.values().filter(|held| !held.revoked).fold(0, |all, held| all | held.rights);
        self.send_away(device, |of| of == node);
        Ok(())
    }

    pub(crate) fn invite(&mut self, now: i64) {
        self.look(now);
        self.codes.push(Code { at: now, serves: None, dead: false });
        let working = self.codes.iter().filter(|code| !code.dead).count();
        self.codes
            .iter_mut()
            .filter(|code| !code.dead)
            .take(working.saturating_sub(MOST))
            .for_each(|code| code.dead = true);
    }

    pub(crate) fn cancel_invitations(&mut self, now: i64) -> usize {
        self.look(now);
        let working = self.codes.iter().filter(|code| !code.dead).count();
        self.codes.iter_mut().for_each(|code| code.dead = true);
        working
    }
}
