//! `[limits]`: of pairing.

use std::time::Duration;

use dmgate::{Freshness, Limits, PendingScope};

use super::error::ConfigError;
use super::section::Section;

/// Reads limits; what is not said is as in `inherited`.
pub(crate) fn read(
    mut section: Section<'_>,
    inherited: &Limits,
    shared: bool,
) -> Result<Limits, ConfigError> {
    let scope = match inherited.pending_scope {
        PendingScope::Channel => "channel",
        PendingScope::Account => "account",
    };
    let scopes = [("channel", PendingScope::Channel), ("account", PendingScope::Account)];
    let pending_max = section.number("pending_max", 1..=100, inherited.pending_max as u64)?;
    let limits = Limits {
        pending_max: usize::try_from(pending_max).unwrap_or(usize::MAX),
        pending_scope: section.word("pending_scope", &scopes, scope)?,
        code_ttl: section.duration("code_ttl", inherited.code_ttl)?,
        max_backlog: section.duration("max_backlog", inherited.max_backlog)?,
        freshness: freshness(&mut section, inherited.freshness)?,
    };
    let origin = section.origin().clone();
    section.finish()?;
    let only = Limits::default();
    if shared && (limits.pending_max != only.pending_max || limits.pending_scope != only.pending_scope) {
        let what = "shared with OpenClaw, a channel has 3 pending requests and no other cap; \
                    leave out limits.pending_max and limits.pending_scope";
        return Err(ConfigError::at(&origin, what));
    }
    limits.checked().map_err(|error| ConfigError::at(&origin, format!("limits.{error}")))
}

fn freshness(section: &mut Section<'_>, inherited: Freshness) -> Result<Freshness, ConfigError> {
    let shown = match inherited {
        Freshness::Exact => "exact".to_owned(),
        Freshness::Bounded(bound) => super::duration::write(bound),
    };
    match section.text_or("freshness", &shown)? {
        text if text.value == "exact" => Ok(Freshness::Exact),
        text => match super::duration::parse(&text.value) {
            Some(bound) if bound > Duration::ZERO => Ok(Freshness::Bounded(bound)),
            _ => {
                let what =
                    format!("is `{}`; write `exact`, or a bound as `200ms`", dmgate::escape(&text.value));
                Err(section.bad("freshness", &text.origin, what))
            }
        },
    }
}
