//! `[owner]`: who may use owner commands in chat. A grant to write makes no owner.

use dmgate::{AccountKey, SenderId};

use super::error::ConfigError;
use super::section::Section;

/// Reads the section.
pub(crate) fn read(mut section: Section<'_>) -> Result<Vec<(AccountKey, SenderId)>, ConfigError> {
    let mut owners = Vec::new();
    for entry in section.texts("allow_from")? {
        let refuse = |why: &dyn std::fmt::Display| {
            let what = format!("holds `{}`: {why}", dmgate::escape(&entry.value));
            section.bad("allow_from", &entry.origin, what)
        };
        let mut parts = entry.value.splitn(3, ':');
        let (Some(channel), Some(account), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse(&"write channel:account:id, as `telegram:default:123456789`"));
        };
        if [channel, account, id].iter().any(|part| part.trim() == "*") {
            return Err(refuse(&"an owner is one person, never `*`"));
        }
        let key = AccountKey::parse(channel, account).map_err(|error| refuse(&error))?;
        let id = SenderId::parse_entry(key.channel(), id).map_err(|error| refuse(&error))?;
        owners.push((key, id));
    }
    section.finish()?;
    Ok(owners)
}
