//! SIGHUP: the configuration is read again. What can change while we run does so at once; what can't is named.

use dmgate::DmGate;
use dmgate::owner::Desk;

use super::level;
use crate::config::Config;
use crate::config::channels::Account;
use crate::context::Context;
use crate::log::Log;

/// Reads the configuration again. A bad one changes nothing.
pub(super) fn reload(context: &Context, started: &Config, gate: &DmGate, desk: Option<&Desk>, log: &Log) {
    let config = match context.config() {
        Ok(config) => config,
        Err(failure) => {
            tracing::error!(
                "the configuration is refused, and the old one stays in force: {}",
                failure.message()
            );
            return;
        }
    };
    // An account that is still connected and not configured any more keeps its policy: the default would let strangers
    // knock where the owner had said that they can't.
    let gone = started.policies().into_iter().filter(|(key, _)| config.account(key).is_none());
    let kept: Vec<_> = gone.map(|(key, _)| (key.clone(), gate.policy_of(&key))).collect();
    gate.set_policies(config.policies().into_iter().chain(kept), config.fallback.clone());
    gate.set_reply(config.reply.clone());
    match desk {
        Some(desk) => desk.set_owners(config.owners.clone()),
        None if config.owners.is_empty() => {}
        None => tracing::warn!("the first owner in [owner] needs a restart"),
    }
    // The level that was typed or is in the environment was good when we started.
    if let Ok(level) = level(context, &config) {
        log.set_level(level);
    }
    for what in needs_restart(started, &config) {
        tracing::warn!("{what} changed, which needs a restart; until then the old ones stay");
    }
    tracing::info!(
        "the configuration was read again; policies, limits, owners, pairing message and log level are in force"
    );
}

fn needs_restart(started: &Config, now: &Config) -> Vec<&'static str> {
    let connections = |config: &Config| -> Vec<_> {
        let connection = |account: &Account| (account.key.clone(), account.options.clone());
        config.connected().map(connection).collect()
    };
    let changes = [
        ("[agent]", started.agent != now.agent),
        ("[gateway]", started.gateway != now.gateway),
        ("the accounts or options of channels", connections(started) != connections(now)),
        ("the web chat", started.web_chat() != now.web_chat()),
        ("[store]", started.shared_with_openclaw != now.shared_with_openclaw),
        ("log.format", started.log_format != now.log_format),
    ];
    changes.into_iter().filter(|(_, changed)| *changed).map(|(what, _)| what).collect()
}
