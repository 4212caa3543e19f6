//! What a configuration may say, and what becomes of the rest.

use std::time::Duration;

use dmgate::{AccountKey, DmPolicy, Freshness, PendingScope};

use super::agent::AgentKind;
use super::{Config, Sources, document};

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let sources = Sources {
        path: "dmgate.toml".into(),
        must_exist: false,
        state_dir: "/nowhere".into(),
        variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    let table = document::parse(text, &sources.path).map_err(|error| error.to_string())?;
    Config::of(table, &sources).map_err(|error| error.to_string())
}

fn read(text: &str) -> Result<Config, String> {
    read_with(text, &[])
}

fn error(text: &str) -> String {
    read(text).err().unwrap_or_else(|| panic!("accepted: {text}"))
}

fn key(text: &str) -> AccountKey {
    let (channel, account) = text.split_once(':').unwrap();
    AccountKey::parse(channel, account).unwrap()
}

/// The example of the surface.
const EXAMPLE: &str = r#"
[agent]
kind = "http"
url  = "http://127.0.0.1:9000/messages"
[limits]
pending_max   = 3
pending_scope = "channel"
code_ttl      = "1h"
max_backlog   = "5m"
freshness     = "exact"
[gateway]
listen     = "127.0.0.1:18790"
public_url = "https://gate.example.org"
token_file = "/run/secrets/gateway"
[owner]
allow_from = ["telegram:default:123456789"]
[channels.telegram]
dm_policy  = "pairing"
allow_from = ["123456789"]
token_file = "/run/secrets/telegram"
[channels.telegram.accounts.work]
token_env = "TG_WORK"
dm_policy = "allowlist"
allow_from = ["987654321"]
[reply]
text = "{code} {id_label} {sender} {approve_command} {minutes}"
"#;

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = read("").unwrap();
    assert_eq!(config.agent.kind, AgentKind::Echo);
    assert_eq!(config.gateway.listen.to_string(), "127.0.0.1:18790");
    assert_eq!(config.policy_of(&key("telegram:default")).dm(), DmPolicy::Pairing);
    assert_eq!(config.web_chat(), Some(key("webchat:default")));
    assert_eq!(config.connected().count(), 0);
}

#[test]
fn the_example_of_the_surface_is_read() {
    let config = read(EXAMPLE).unwrap();
    assert!(matches!(config.agent.kind, AgentKind::Http(_)));
    let work = config.policy_of(&key("telegram:work"));
    assert_eq!((work.dm(), work.allow_from().len()), (DmPolicy::Allowlist, 1));
    assert_eq!(config.connected().count(), 2);
    assert_eq!(config.web_chat(), None);
    assert!(
        config
            .shown
            .iter()
            .all(|shown| !shown.value.contains("TG_WORK") || shown.value.starts_with("********"))
    );
}

#[test]
fn unknown_keys_name_the_nearest_one_and_their_line() {
    for (text, says) in [
        ("[agnet]\nkind = 'echo'", "dmgate.toml:1: unknown key `agnet`; did you mean `agent`?"),
        ("[agent]\n\nkidn = 'echo'", "dmgate.toml:3: unknown key `agent.kidn`; did you mean `kind`?"),
        (
            "[channels.telegram]\ndm_polcy = 'open'",
            "dmgate.toml:2: unknown key `channels.telegram.dm_polcy`; did you mean `dm_policy`?",
        ),
        (
            "[channels.telegram.accounts.a]\ntokne = 'x'",
            "dmgate.toml:2: unknown key `channels.telegram.accounts.a.tokne`; did you mean `token`?",
        ),
        ("[limits]\npending = 3", "the nearest known key is `pending_max`"),
        ("[channels.telegarm]\n", "dmgate.toml:1: unknown channel `telegarm`; did you mean `telegram`?"),
        ("x = 1", "unknown key `x`"),
    ] {
        assert!(error(text).contains(says), "{text}\n{}", error(text));
    }
}

#[test]
fn i7_policies_are_never_guessed() {
    for word in ["''", "'Pairing'", "'allow'", "'null'", "' '", "'closed'"] {
        let said = error(&format!("[channels.telegram]\ndm_policy = {word}"));
        assert!(said.contains("choose `pairing`, `allowlist`, `open` or `disabled`"), "{word}: {said}");
        assert!(said.starts_with("dmgate.toml:2: "), "{said}");
    }
    for wrong in ["true", "1", "[]", "{}"] {
        assert!(
            error(&format!("[channels.telegram]\ndm_policy = {wrong}")).contains("must be a text"),
            "{wrong}"
        );
    }
    let empty = read_with("", &[("DMGATE_CHANNELS__TELEGRAM__DM_POLICY", "")]).unwrap_err();
    assert!(empty.starts_with("DMGATE_CHANNELS__TELEGRAM__DM_POLICY: "), "{empty}");
}

#[test]
fn a_star_stands_beside_open_only() {
    let with =
        |policy: &str| format!("[channels.telegram]\ndm_policy = '{policy}'\nallow_from = [\n'1',\n'*']");
    assert!(error(&with("pairing")).starts_with("dmgate.toml:5: "), "{}", error(&with("pairing")));
    assert!(error(&with("allowlist")).contains("say `open`"));
    assert!(read(&with("open")).unwrap().policy_of(&key("telegram:default")).everyone());
    assert!(read("[channels.telegram]\nallow_from = ['*']").is_err(), "pairing is the default");
}

#[test]
fn accounts_inherit_limits_and_policy_and_no_list() {
    let config = read(
        "[limits]\npending_max = 5\n[channels.telegram]\ndm_policy = 'open'\nallow_from = ['*', 7]\n\
         [channels.telegram.limits]\ncode_ttl = '10m'\n[channels.telegram.accounts.Work]\ntoken = 'x'\n\
         [channels.telegram.accounts.work2.limits]\npending_scope = 'account'",
    )
    .unwrap();
    let of = |account: &str| config.policy_of(&key(&format!("telegram:{account}")));
    assert!(of("default").everyone());
    assert_eq!(of("default").allow_from()[0].as_str(), "7", "a number counts as its decimal text");
    assert!(!of("work").everyone() && of("work").allow_from().is_empty());
    assert_eq!((of("work").dm(), of("work").limits().pending_max), (DmPolicy::Open, 5));
    assert_eq!(of("work").limits().code_ttl, Duration::from_secs(600));
    assert_eq!(of("work2").limits().pending_scope, PendingScope::Account);
    assert_eq!(of("work2").limits().code_ttl, Duration::from_secs(600));
    assert!(
        !of("other").everyone() && of("other").dm() == DmPolicy::Open,
        "not configured: the channel's policy"
    );
}

#[test]
fn a_channel_of_accounts_only_has_no_default_account() {
    let text = "[channels.telegram]\ndm_policy = 'allowlist'\n[channels.telegram.accounts.a]\ntoken = 'x'";
    let config = read(text).unwrap();
    let keys: Vec<String> = config.connected().map(|account| account.key.to_string()).collect();
    assert_eq!(keys, ["telegram:a"]);
    assert_eq!(config.policy_of(&key("telegram:default")).dm(), DmPolicy::Allowlist);
}

#[test]
fn entries_are_parsed_as_the_channel_writes_them() {
    let config = read("[channels.telegram]\nallow_from = ['tg:5', 18446744073709551616]").unwrap();
    let listed: Vec<_> =
        config.listed(&key("telegram:default")).iter().map(|l| l.value.to_string()).collect();
    assert_eq!(listed, ["5", "18446744073709551616"]);
    for bad in ["'@alice'", "''", "' '", "'a\\nb'", "true", "['1']", "-5", "1.5", "\"\\u202e1\""] {
        let said = error(&format!("[channels.telegram]\nallow_from = [\n{bad}]"));
        assert!(said.starts_with("dmgate.toml:3: "), "{bad}: {said}");
    }
}

#[test]
fn limits_have_units_and_ranges() {
    let with = |line: &str| read(&format!("[limits]\n{line}"));
    assert_eq!(
        with("freshness = '200ms'").unwrap().fallback.limits().freshness,
        Freshness::Bounded(Duration::from_millis(200))
    );
    assert_eq!(with("pending_max = 100").unwrap().fallback.limits().pending_max, 100);
    for bad in [
        "pending_max = 0",
        "pending_max = 101",
        "pending_max = -1",
        "pending_max = '3'",
        "pending_max = 1e9",
        "code_ttl = '61m'",
        "code_ttl = '0s'",
        "code_ttl = '5'",
        "code_ttl = ''",
        "code_ttl = 5",
        "max_backlog = '-1s'",
        "max_backlog = '5 m'",
        "freshness = 'Exact'",
        "freshness = '0s'",
        "freshness = '2h'",
        "pending_scope = ''",
        "pending_scope = 'global'",
    ] {
        let said = with(bad).err().unwrap_or_else(|| panic!("accepted: {bad}"));
        assert!(said.contains(bad.split(' ').next().unwrap()), "{bad}: {said}");
    }
}

#[test]
fn shared_with_openclaw_the_cap_is_theirs() {
    let shared = "[store]\nshared_with_openclaw = true\n";
    assert!(read(shared).unwrap().shared_with_openclaw);
    for bad in [
        "[limits]\npending_max = 4",
        "[limits]\npending_scope = 'account'",
        "[channels.telegram.limits]\npending_max = 2",
    ] {
        assert!(error(&format!("{shared}{bad}")).contains("OpenClaw"), "{bad}");
    }
}

#[test]
fn what_others_can_reach_needs_a_token() {
    for open in ["0.0.0.0:1", "[::]:1", "192.168.1.1:80"] {
        let said = error(&format!("[gateway]\nlisten = '{open}'"));
        assert!(said.contains("gateway.token_file"), "{said}");
        assert!(read(&format!("[gateway]\nlisten = '{open}'\ntoken_env = 'T'")).is_ok());
    }
    for good in ["127.0.0.1:0", "[::1]:8080", "localhost:99"] {
        assert!(read(&format!("[gateway]\nlisten = '{good}'")).is_ok(), "{good}");
    }
    for bad in ["", "18790", "127.0.0.1", "example.org:80", "127.0.0.1:99999"] {
        assert!(read(&format!("[gateway]\nlisten = '{bad}'")).is_err(), "{bad}");
    }
    for bad in ["gate.example.org", "ftp://x", "https://", "https://u:p@x", "https://a b"] {
        assert!(read(&format!("[gateway]\npublic_url = '{bad}'")).is_err(), "{bad}");
    }
}

#[test]
fn owners_are_persons() {
    assert!(read("[owner]\nallow_from = ['telegram:default:123', 'matrix:work:@a:b']").is_ok());
    for bad in [
        "*",
        "telegram:*:1",
        "telegram:default:*",
        "telegram:123",
        "telegram:default:@alice",
        "a/b:default:1",
        "",
    ] {
        let said = error(&format!("[owner]\nallow_from = [\n'{bad}']"));
        assert!(said.starts_with("dmgate.toml:3: `owner.allow_from` holds"), "{bad}: {said}");
    }
}

#[test]
fn an_agent_is_of_one_kind() {
    for (text, says) in [
        ("kind = 'htpp'", "choose `echo`, `http`, `command`"),
        ("kind = ''", "choose `echo`"),
        ("kind = 'http'", "needs `agent.url`"),
        ("kind = 'http'\nurl = 'localhost:1'", "write an address"),
        ("kind = 'command'", "needs `agent.command`"),
        ("kind = 'command'\ncommand = []", "needs `agent.command`"),
        ("kind = 'command'\ncommand = 'python3 bot.py'", "must be a list"),
        ("url = 'http://x'", "say agent.kind = \"http\""),
        ("kind = 'echo'\ntoken = 'x'", "say agent.kind = \"http\""),
        ("kind = 'http'\nurl = 'http://x'\ncommand = ['a']", "say agent.kind = \"command\""),
        ("timeout = '0s'", "longer than 0s"),
        ("max_reply = 0", "1 to 16777216"),
        ("kind = 'http'\nurl = 'http://x'\nheaders = { 'a b' = 'x' }", "is not the name of a header"),
        ("kind = 'http'\nurl = 'http://x'\nretries = 11", "0 to 10"),
    ] {
        let said = error(&format!("[agent]\n{text}"));
        assert!(said.contains(says), "{text}: {said}");
    }
    for key in ["url = 'http://x'\nproxy", "url"] {
        let said = error(&format!("[agent]\nkind = 'http'\n{key} = 'http://ann:hush@x'"));
        assert!(said.contains("write an address") && !said.contains("hush"), "{said}");
    }
    let config = read("[agent]\nkind = 'http'\nurl = 'http://x/y?key=hush'").unwrap();
    let url = config.shown.iter().find(|shown| shown.key == "agent.url").unwrap();
    assert_eq!(url.value, "\"http://x/y?********\"");
    let headers =
        read("[agent]\nkind = 'http'\nurl = 'http://x'\nheaders = { x_key_env = 'K', accept = 'y' }")
            .unwrap();
    assert_eq!(headers.agent.secrets().count(), 2);
    let variable = [("DMGATE_AGENT__HEADERS__X_KEY", "k")];
    let config = read_with("[agent]\nkind = 'http'\nurl = 'http://x'", &variable).unwrap();
    let AgentKind::Http(http) = config.agent.kind else { panic!("not http") };
    assert_eq!(http.headers[0].0, "x-key");
}

#[test]
fn secrets_are_given_once_and_never_shown() {
    let with = |lines: &str| format!("[channels.telegram]\n{lines}");
    let both = error(&with("token = 'hush'\ntoken_file = 'x'"));
    assert!(both.contains("beside `token`") && !both.contains("hush"), "{both}");
    for bad in ["token = ''", "token = 5", "token_file = ''", "token_env = ' '"] {
        assert!(read(&with(bad)).is_err(), "{bad}");
    }
    let config = read(&with("token = 'hush'")).unwrap();
    assert!(!format!("{config:?}").contains("hush"), "Debug");
    let config = read(&(with("token_env = 'TG'") + "\n[gateway]\ntoken_env = 'GW'")).unwrap();
    assert_eq!(config.secret_variables(), ["TG", "GW"]);
    let over = [("DMGATE_CHANNELS__TELEGRAM__TOKEN", "hush")];
    let config = read_with(&with("token_file = 'x'"), &over).unwrap();
    let token = config.shown.iter().find(|shown| shown.key == "channels.telegram.token").unwrap();
    assert_eq!((token.value.as_str(), token.origin.to_string().as_str()), ("********", over[0].0));
}

#[test]
fn every_value_can_come_from_the_environment() {
    let config = read_with(
        "[agent]\nkind = 'echo'",
        &[
            ("DMGATE_AGENT__KIND", "command"),
            ("DMGATE_AGENT__COMMAND", "[\"python3\", \"my bot.py\"]"),
            ("DMGATE_LIMITS__PENDING_MAX", "7"),
            ("DMGATE_STORE__SHARED_WITH_OPENCLAW", "false"),
            ("DMGATE_CHANNELS__TELEGRAM__ALLOW_FROM", "6, tg:7"),
            ("DMGATE_CHANNELS__TELEGRAM__ACCOUNTS__WORK__ALLOW_FROM", "5"),
            ("DMGATE_LOG__LEVEL", "debug"),
        ],
    )
    .unwrap();
    assert_eq!(config.agent.kind, AgentKind::Command(vec!["python3".into(), "my bot.py".into()]));
    assert_eq!(config.fallback.limits().pending_max, 7);
    assert_eq!(config.policy_of(&key("telegram:default")).allow_from().len(), 2);
    assert_eq!(config.policy_of(&key("telegram:work")).allow_from().len(), 1);
    let shown = config.shown.iter().find(|shown| shown.key == "agent.kind").unwrap();
    assert_eq!(shown.origin.to_string(), "DMGATE_AGENT__KIND");
    for (name, value) in [
        ("DMGATE_LIMITS__PENDING_MAX", "many"),
        ("DMGATE_STORE__SHARED_WITH_OPENCLAW", "yes"),
        ("DMGATE_CHANNELS__TELEGRAM__ALLOW_FROM", "[1, "),
        ("DMGATE_AGENT__KIDN", "echo"),
        ("DMGATE_AGENTS__KIND", "echo"),
        ("DMGATE_AGENT", "echo__"),
    ] {
        let said = read_with("", &[(name, value)]).err();
        assert!(said.as_ref().is_none_or(|said| said.starts_with(name)), "{name}: {said:?}");
        assert_eq!(said.is_none(), name == "DMGATE_AGENT", "{name}");
    }
}

#[test]
fn i8_accounts_that_would_share_a_file_are_refused() {
    let none = "adapter = 'none'";
    for text in [
        format!(
            "[channels.a]\n{none}\n[channels.a.accounts.b-c]\n[channels.a-b]\n{none}\n[channels.a-b.accounts.c]"
        ),
        format!("[channels.a]\n{none}\n[channels.a.accounts.b]\n[channels.a-b]\n{none}"),
        format!("[channels.a]\n{none}\n[channels.a-default]\n{none}"),
        format!("[channels.nextcloud]\n{none}\n[channels.nextcloud.accounts.talk]"),
        "[channels.telegram.accounts.a]\n[channels.telegram.accounts.A]".to_owned(),
        "[channels.telegram.accounts.default]".to_owned(),
        "[channels.telegram]\n[channels.Telegram]".to_owned(),
        "[channels.telegram.accounts.'../x']".to_owned(),
        "[channels.'a/b']\nadapter = 'none'".to_owned(),
    ] {
        let said = error(&text);
        assert!(said.starts_with("dmgate.toml:"), "{text}: {said}");
    }
}

#[test]
fn a_channel_of_ones_own_is_named_so() {
    let config =
        read("[channels.mybot]\nadapter = 'none'\ndm_policy = 'allowlist'\nallow_from = ['u1']").unwrap();
    assert_eq!(config.policy_of(&key("mybot:default")).dm(), DmPolicy::Allowlist);
    assert_eq!((config.connected().count(), config.web_chat()), (0, Some(key("webchat:default"))));
    assert!(error("[channels.mybot]").contains("adapter = \"none\""));
    assert!(error("[channels.slack]\nadapter = 'telegram'").contains("choose `none`"));
}

#[test]
fn the_web_chat_has_one_account() {
    let one = read("[channels.webchat.accounts.front]").unwrap();
    assert_eq!(one.web_chat(), Some(key("webchat:front")));
    assert!(
        error("[channels.webchat]\nallow_from = []\n[channels.webchat.accounts.b]").contains("one account")
    );
}

#[test]
fn damage_is_told_in_one_line() {
    for text in [
        "[agent",
        "a = ",
        "[agent]\nkind = 'echo'\nkind = 'http'",
        "\u{feff}\u{feff}[agent]",
        "a = 'b\nc'",
        "[[agent]]",
    ] {
        let said = error(text);
        assert!(!said.contains('\n') && said.starts_with("dmgate.toml:"), "{text:?}: {said:?}");
    }
}

#[test]
fn a_pairing_message_holds_its_code() {
    assert!(error("[reply]\ntext = 'hello'").contains("must hold {code}"));
    assert!(error("[reply]\ntext = '{code} {cod}'").contains("`{cod}` is not known"));
    assert!(error("[reply]\ntext = ''").contains("must not be empty"));
}

/// What is shown can be written into a file as it is.
#[test]
fn keys_are_shown_as_toml_writes_them() {
    let account = "channels.mybot.accounts.\"a.b@c\".allow_from";
    let text = format!("channels.mybot.adapter = \"none\"\n{account} = [\"1\"]");
    let config = read(&text).unwrap();
    let shown = config.shown.iter().find(|shown| shown.key == account).unwrap();
    assert_eq!(shown.value, "[\"1\"]");
    assert!(error(&text.replace("allow_from", "allow")).contains("accounts.\"a.b@c\""));
}

#[test]
fn networks_that_need_no_word_are_none_of_ours() {
    let config = read("[gateway]\npassword_env = 'P'\nauto_approve = ['10.0.0.0/8', 'fd00::/8']").unwrap();
    assert_eq!((config.gateway.auto_approve.len(), config.gateway.secrets().count()), (2, 1));
    assert!(read("[gateway]\nlisten = '0.0.0.0:1'\npassword_env = 'P'").is_ok(), "a password is enough");
    for bad in ["127.0.0.1", "0.0.0.0/0", "::1", "10.0.0.0/33", "lan"] {
        assert!(error(&format!("[gateway]\nauto_approve = ['{bad}']")).contains("auto_approve"), "{bad}");
    }
}
