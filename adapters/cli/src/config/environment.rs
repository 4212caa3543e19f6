//! Values from the environment: `DMGATE_<SECTION>__<KEY>`, `__` for the dot, `_` for `-` in channel names.

use std::ffi::OsString;

use dmgate::Known;

use super::error::ConfigError;
use super::node::{Node, Origin, Table, Value};

/// What all our variables begin with.
const PREFIX: &str = "DMGATE_";

/// Variables that are no configuration keys.
const RESERVED: [&str; 3] = ["STATE_DIR", "CONFIG", "LOG"];

/// Puts what the environment says over what the file says.
pub(crate) fn overlay(
    table: &mut Table,
    sections: &[&str],
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let ours = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut ours: Vec<_> = ours.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    for (name, value) in ours {
        let origin = Origin::Environment(name.as_str().into());
        let key = name.strip_prefix(PREFIX).unwrap_or_default();
        if RESERVED.contains(&key) {
            continue;
        }
        if !key.contains("__") {
            refuse_single_underscore(key, sections, &origin)?;
            continue;
        }
        let value = value.into_string().map_err(|_| ConfigError::at(&origin, "is not UTF-8"))?;
        let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
        put(table, &path, 0, Node { value: Value::Loose(value), origin })?;
    }
    Ok(())
}

/// `DMGATE_AGENT_KIND` is meant to be `DMGATE_AGENT__KIND`; other programs' variables (a container's service links
/// among them) are none of ours.
fn refuse_single_underscore(key: &str, sections: &[&str], origin: &Origin) -> Result<(), ConfigError> {
    // INVARIANT I7: who says who is in is never ignored, wherever the section was forgotten.
    if let Some(meant) = ["DM_POLICY", "ALLOW_FROM"].into_iter().find(|meant| key.ends_with(meant)) {
        let what =
            format!("is no key of the configuration; write {PREFIX}CHANNELS__, the channel, and __{meant}");
        return Err(ConfigError::at(origin, what));
    }
    let meant = sections.iter().find_map(|section| {
        let rest = key.strip_prefix(&section.to_ascii_uppercase())?.strip_prefix('_')?;
        let linked = rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_");
        (!linked && !rest.is_empty()).then(|| format!("{PREFIX}{}__{rest}", section.to_ascii_uppercase()))
    });
    match meant {
        None => Ok(()),
        Some(meant) => {
            let what = format!("is no key of the configuration; two underscores stand for the dot: {meant}");
            Err(ConfigError::at(origin, what))
        }
    }
}

fn put(table: &mut Table, path: &[String], depth: usize, node: Node) -> Result<(), ConfigError> {
    let Some(part) = path.get(depth) else { return Ok(()) };
    if part.is_empty() {
        return Err(ConfigError::at(&node.origin, "has an empty part between `__` and `__`"));
    }
    let key = meant(table, path, depth, part).map_err(|what| ConfigError::at(&node.origin, what))?;
    let section = || Node { value: Value::Table(Table::new()), origin: node.origin.clone() };
    if depth + 1 == path.len() {
        table.insert(key, node);
        return Ok(());
    }
    let below = table.entry(key).or_insert_with(section);
    match &mut below.value {
        Value::Table(below) => put(below, path, depth + 1, node),
        _ => {
            let what =
                format!("`{}` is a value, not a section", path.get(..=depth).unwrap_or_default().join("."));
            Err(ConfigError::at(&node.origin, what))
        }
    }
}

/// The key that a part of a variable's name means. Names of channels and accounts may hold what variables can't.
/// The error is why it can't be told.
fn meant(table: &Table, path: &[String], depth: usize, part: &str) -> Result<String, String> {
    let within = path.first().is_some_and(|first| first == "channels");
    let names_channel = within && depth == 1;
    let names_account = within && depth == 3 && path.get(2).is_some_and(|key| key == "accounts");
    if !names_channel && !names_account {
        return Ok(part.to_owned());
    }
    let there: Vec<&String> = table.keys().filter(|key| folded(key) == part).collect();
    match there.as_slice() {
        [] if names_account => Ok(part.to_owned()),
        [] => {
            let known = Known::all().map(|known| known.name).find(|name| folded(name) == part);
            Ok(known.map_or_else(|| part.replace('_', "-"), str::to_owned))
        }
        [one] => Ok((*one).clone()),
        // INVARIANT I8: what is meant for one account does not reach another.
        [one, other, ..] => {
            Err(format!("means both `{one}` and `{other}`; write it in the configuration file"))
        }
    }
}

fn folded(key: &str) -> String {
    key.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaid(variables: &[(&str, &str)]) -> Result<Table, String> {
        let mut table =
            super::super::document::parse("[channels.x-y.accounts.a-b]\ntoken = 'f'", "f".as_ref()).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        overlay(&mut table, &["agent", "channels"], variables).map_err(|error| error.to_string())?;
        Ok(table)
    }

    fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
        let (first, rest) = path.split_first()?;
        let value = &table.get(*first)?.value;
        match (rest, value) {
            ([], value) => Some(value),
            (rest, Value::Table(below)) => at(below, rest),
            _ => None,
        }
    }

    #[test]
    fn variables_find_the_channel_and_the_account_that_are_meant() {
        let table = overlaid(&[
            ("DMGATE_CHANNELS__NEXTCLOUD_TALK__DM_POLICY", "open"),
            ("DMGATE_CHANNELS__X_Y__ACCOUNTS__A_B__TOKEN", "e"),
            ("DMGATE_CHANNELS__MY_BOT__ADAPTER", "none"),
            ("DMGATE_STATE_DIR", "/x"),
            ("DMGATE_SERVICE_HOST", "10.0.0.1"),
            ("DMGATE_AGENT_SERVICE_HOST", "10.0.0.1"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert!(at(&table, &["channels", "nextcloud-talk", "dm_policy"]).is_some());
        let token = at(&table, &["channels", "x-y", "accounts", "a-b", "token"]).unwrap();
        assert!(matches!(token, Value::Loose(text) if text == "e"));
        assert!(at(&table, &["channels", "my-bot", "adapter"]).is_some());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn i8_what_may_mean_two_accounts_is_refused() {
        let text = "[channels.telegram.accounts.a-b]\n[channels.telegram.accounts.a_b]";
        let mut table = super::super::document::parse(text, "f".as_ref()).unwrap();
        let variable = ("DMGATE_CHANNELS__TELEGRAM__ACCOUNTS__A_B__DM_POLICY".into(), "disabled".into());
        let error = overlay(&mut table, &["channels"], [variable]).unwrap_err().to_string();
        assert!(error.contains("both `a-b` and `a_b`"), "{error}");
    }

    #[test]
    fn i7_who_is_in_is_never_said_in_vain() {
        for name in ["DMGATE_DM_POLICY", "DMGATE_TELEGRAM_DM_POLICY", "DMGATE_ALLOW_FROM"] {
            let error = overlaid(&[(name, "disabled")]).unwrap_err();
            assert!(error.contains("DMGATE_CHANNELS__"), "{error}");
        }
    }

    #[test]
    fn near_misses_are_named() {
        let error = overlaid(&[("DMGATE_AGENT_KIND", "http")]).unwrap_err();
        assert!(error.contains("DMGATE_AGENT__KIND"), "{error}");
        assert!(overlaid(&[("DMGATE_CHANNELS__X_Y__ACCOUNTS__A_B__TOKEN__MORE", "1")]).is_err());
        assert!(overlaid(&[("DMGATE_CHANNELS____X", "1")]).is_err());
    }
}
