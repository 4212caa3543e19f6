//! What holds of every channel.

use serde_json::json;

use super::*;
use crate::options::{Need, OptionValue};

#[test]
fn channels_are_known_ones_by_name() {
    assert!(Channel::all().is_sorted_by_key(|channel| channel.name));
    for channel in Channel::all() {
        let id = ChannelId::parse(channel.name).unwrap();
        assert!(dmgate::Known::of(&id).is_some(), "{channel:?}");
        assert!(!channel.transports.is_empty());
        assert_eq!(channel.features.contains(&Feature::Login), channel.login.is_some(), "{channel:?}");
    }
}

#[test]
fn an_account_of_another_channel_is_refused() {
    for channel in Channel::all() {
        let setup = Setup::new(AccountKey::parse("another", "default").unwrap());
        let refused = channel.open(setup, &Options::new()).err();
        assert!(matches!(refused, Some(ConfigError::Setup(_))), "{channel:?}");
    }
}

#[test]
fn a_web_hook_has_one_address_per_account() {
    let mut setup = Setup::new(AccountKey::parse("telegram", "work").unwrap());
    assert_eq!(setup.webhook_url(), None);
    setup.public_url = Some("https://gate.example.org/".to_owned());
    assert_eq!(setup.webhook_url().unwrap(), "https://gate.example.org/webhooks/telegram/work");
}

/// A value that this option takes, of those that are needed.
fn sample(channel: &str, option: &str) -> OptionValue {
    let text = match (channel, option) {
        ("bluebubbles", "webhook_secret") => "0123456789abcdef",
        ("discord", "token") => "MTIz.a.b",
        ("feishu", "app_id") => "cli_a1b2",
        ("googlechat", "service_account") => {
            let key = dmgate_test_peers::SigningKey::make("1");
            return json!({
                "type": "service_account",
                "client_email": "bot@project.iam.gserviceaccount.com",
                "private_key_id": key.id(),
                "private_key": key.private_key(),
                "token_uri": "https://oauth2.googleapis.com/token",
            })
            .to_string()
            .into();
        }
        ("irc", "nick") => "gatekeeper",
        ("nextcloud-talk", "bot_secret") => "0123456789012345678901234567890123456789",
        ("nostr", "secret_key") => "0101010101010101010101010101010101010101010101010101010101010101",
        ("nostr", "relays") => "wss://relay.example.org",
        ("signal", "account") => "+4917012345678",
        ("slack", "bot_token") => "xoxb-1",
        ("slack", "app_token") => "xapp-1",
        ("synology-chat", "token") => "a1b2c3d4",
        ("telegram" | "zalo", "token") => "123456789:abc",
        (_, "base_url" | "homeserver" | "server_url") => "https://server.example.org",
        (_, "bridge") => return vec!["node".to_owned(), "bridge.mjs".to_owned()].into(),
        (_, "host") => "irc.example.org",
        _ => "1",
    };
    text.into()
}

#[test]
fn what_is_said_to_be_needed_will_do_and_is() {
    for channel in Channel::all() {
        let needed: Vec<_> = channel.options.iter().filter(|option| option.need != Need::Never).collect();
        let open = |left_out: &str| {
            let mut setup = Setup::new(AccountKey::parse(channel.name, "default").unwrap());
            if channel.needs_public_url() {
                setup.public_url = Some("https://gate.example.org".to_owned());
            }
            let mut options = Options::new();
            for option in needed.iter().filter(|option| option.name != left_out) {
                options.set(option.name, sample(channel.name, option.name));
            }
            channel.open(setup, &options).err()
        };
        assert_eq!(open(""), None, "{channel:?}");
        for option in &needed {
            assert_eq!(open(option.name), Some(option.missing()), "{channel:?}");
        }
    }
}

#[test]
fn what_can_be_given_stands_in_the_documentation() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/channels");
    for channel in Channel::all() {
        let page = std::fs::read_to_string(format!("{docs}/{}.md", channel.name)).unwrap();
        // As code in a sentence, or as a line of the configuration.
        let stands = |key: &str| {
            let is_line = |line: &str| line.trim_start_matches([' ', '#']).starts_with(&format!("{key} = "));
            let is_word = page.contains(&format!("`{key}`")) || page.contains(&format!("`{key} = "));
            is_word || page.lines().any(is_line)
        };
        let is_told = |name: &str| stands(name) || stands(&format!("{name}_file"));
        let untold: Vec<_> =
            channel.options.iter().map(|option| option.name).filter(|name| !is_told(name)).collect();
        assert_eq!(untold, Vec::<&str>::new(), "{channel:?}");
    }
}
