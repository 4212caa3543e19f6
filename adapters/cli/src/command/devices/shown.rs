//! Devices as people read them: what one asks for stands beside what it has, and what is new is marked. What a device says
//! of itself is proven by nothing, and cut and escaped.

use std::fmt;

use dmgate::device::{Role, Scopes};
use dmgate::{Timestamp, escape};
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::table::short;

/// The longest text of a device that is shown; `--json` has all of it.
const LONGEST: usize = 48;

/// Who asks, and who is paired.
#[derive(Deserialize)]
pub(super) struct Shown {
    pub(super) pending: Vec<Asking>,
    pub(super) paired: Vec<Paired>,
}

/// Who asks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asking {
    pub(super) request_id: String,
    #[serde(flatten)]
    who: Who,
    ts: i64,
}

/// Who is paired.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paired {
    #[serde(flatten)]
    pub(super) who: Who,
    #[serde(default)]
    tokens: Vec<Holding>,
    #[serde(default)]
    approved_at_ms: i64,
}

/// What is known of a device, asking or paired.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Who {
    pub(super) device_id: String,
    display_name: Option<String>,
    platform: Option<String>,
    device_family: Option<String>,
    client_id: Option<String>,
    client_mode: Option<String>,
    remote_ip: Option<String>,
    role: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
}

/// What a device has in one role.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holding {
    role: String,
    #[serde(default)]
    scopes: Vec<String>,
    revoked_at_ms: Option<i64>,
    last_used_at_ms: Option<i64>,
}

/// A request beside what its device has.
pub(super) struct Beside<'a>(pub(super) &'a Asking, pub(super) Option<&'a Paired>);

impl Shown {
    /// Reads what was told.
    pub(super) fn read(told: &Value) -> Result<Self, Failure> {
        let read = Self::deserialize(told);
        read.map_err(|error| Failure::refused(format!("the answer is no list of devices: {error}")))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.paired.is_empty()
    }

    /// A request beside what its device has.
    pub(super) fn beside<'a>(&'a self, asking: &'a Asking) -> Beside<'a> {
        Beside(asking, self.paired.iter().find(|paired| paired.who.device_id == asking.who.device_id))
    }
}

impl Who {
    fn roles(&self) -> Vec<&str> {
        let mut roles: Vec<&str> = self.role.iter().chain(&self.roles).map(String::as_str).collect();
        let mut seen = Vec::new();
        roles.retain(|role| {
            !seen.contains(role) && {
                seen.push(*role);
                true
            }
        });
        roles
    }

    /// What it says that it is.
    fn machine(&self) -> String {
        let parts = [&self.platform, &self.device_family, &self.client_id, &self.client_mode];
        parts.into_iter().flatten().map(|part| short(part, LONGEST)).collect::<Vec<_>>().join(", ")
    }

    fn is_another_machine(&self, before: &Self) -> bool {
        let plain = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
        let differs =
            |now: &Option<String>, then: &Option<String>| then.is_some() && plain(now) != plain(then);
        differs(&self.platform, &before.platform) || differs(&self.device_family, &before.device_family)
    }
}

impl Paired {
    /// What it has in a role, if it may be that.
    fn holding(&self, role: &str) -> Option<&[String]> {
        match self.tokens.iter().find(|holding| holding.role == role) {
            Some(holding) => holding.revoked_at_ms.is_none().then_some(holding.scopes.as_slice()),
            None => self.who.roles().contains(&role).then_some(self.who.scopes.as_slice()),
        }
    }

    fn has(&self) -> String {
        let roles = self.who.roles();
        let untokened = roles.iter().filter(|role| self.tokens.iter().all(|one| one.role != **role));
        let untokened = untokened.map(|role| with_scopes(&escape(role), &plain_scopes(&self.who.scopes)));
        let holdings = self.tokens.iter().map(|one| {
            let has = with_scopes(&escape(&one.role), &plain_scopes(&one.scopes));
            if one.revoked_at_ms.is_some() { format!("{has} (revoked)") } else { has }
        });
        let all: Vec<String> = holdings.chain(untokened).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join("; ") }
    }
}

impl Asking {
    /// What it asks for; what it does not have yet is marked.
    fn asks_for(&self, has: Option<&Paired>) -> String {
        let of_role = |role: &str| {
            let held = has.and_then(|paired| paired.holding(role));
            let mark = if held.is_some() { "" } else { "+" };
            let scopes: Vec<String> = self.who.scopes.iter().map(|scope| marked(scope, held)).collect();
            with_scopes(&format!("{mark}{}", escape(role)), &scopes)
        };
        self.who.roles().into_iter().map(of_role).collect::<Vec<_>>().join("; ")
    }
}

fn marked(scope: &str, held: Option<&[String]>) -> String {
    let held = held.and_then(|held| Scopes::parse(held.iter().map(String::as_str)).ok());
    let is_held = held.is_some_and(|held| held.allow(scope));
    format!("{}{}", if is_held { "" } else { "+" }, escape(scope))
}

fn plain_scopes(scopes: &[String]) -> Vec<String> {
    scopes.iter().map(|scope| escape(scope)).collect()
}

fn with_scopes(role: &str, scopes: &[String]) -> String {
    if scopes.is_empty() { role.to_owned() } else { format!("{role} with {}", scopes.join(", ")) }
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// One fact a line, those that there are.
fn facts(f: &mut fmt::Formatter<'_>, facts: &[(&str, String)]) -> fmt::Result {
    for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        write!(f, "\n  {name:<8}  {fact}")?;
    }
    Ok(())
}

impl fmt::Display for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(asking, has) = self;
        let who = &asking.who;
        let was = has.filter(|has| who.is_another_machine(&has.who));
        let was = was.map(|was| format!(" (+ it was: {})", was.who.machine())).unwrap_or_default();
        write!(f, "Request {}", escape(&asking.request_id))?;
        facts(
            f,
            &[
                ("device", escape(&who.device_id)),
                ("name", who.display_name.as_deref().map(|name| short(name, LONGEST)).unwrap_or_default()),
                ("machine", who.machine() + &was),
                ("from", who.remote_ip.as_deref().map(escape).unwrap_or_default()),
                ("asks for", asking.asks_for(*has)),
                ("has", has.map_or_else(|| "nothing: it is not paired".to_owned(), Paired::has)),
                ("asked", time(asking.ts).to_string()),
            ],
        )
    }
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = &self.who;
        let used = self.tokens.iter().filter_map(|one| one.last_used_at_ms).max();
        write!(f, "Device {}", escape(&who.device_id))?;
        facts(
            f,
            &[
                ("name", who.display_name.as_deref().map(|name| short(name, LONGEST)).unwrap_or_default()),
                ("machine", who.machine()),
                ("from", who.remote_ip.as_deref().map(escape).unwrap_or_default()),
                ("has", self.has()),
                ("approved", time(self.approved_at_ms).to_string()),
                ("used", used.map(|used| time(used).to_string()).unwrap_or_default()),
            ],
        )
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pending.is_empty() {
            write!(
                f,
                "Asking to be paired ({}); `+` is what the device does not have yet",
                self.pending.len()
            )?;
        }
        for asking in &self.pending {
            write!(f, "\n\n{}", self.beside(asking))?;
        }
        if !self.paired.is_empty() {
            let gap = if self.pending.is_empty() { "" } else { "\n\n" };
            write!(f, "{gap}Paired ({})", self.paired.len())?;
        }
        for paired in &self.paired {
            write!(f, "\n\n{paired}")?;
        }
        Ok(())
    }
}

/// A role as it is typed.
pub(super) fn role(text: &str) -> Result<Role, Failure> {
    let known = Role::parse(text.trim());
    known.ok_or_else(|| Failure::usage(format!("`{}` is no role: `node` or `operator`", escape(text))))
}
