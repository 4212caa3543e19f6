//! How ids are written, and what is none.

use crate::message::{ChannelId, SenderId};

fn entry(channel: &str, text: &str) -> Option<String> {
    SenderId::parse_entry(&ChannelId::parse(channel).unwrap(), text).ok().map(|id| id.to_string())
}

fn platform(channel: &str, text: &str) -> Option<String> {
    SenderId::parse(&ChannelId::parse(channel).unwrap(), text).ok().map(|id| id.to_string())
}

#[test]
fn what_people_type_becomes_the_written_form() {
    let key = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
    for (channel, typed, written) in [
        ("telegram", "TG:123", "123"),
        ("telegram", " telegram: 123 ", "123"),
        ("line", "line:user:U1", "U1"),
        ("line", "user:U1", "U1"),
        ("slack", "slack:user:u1a", "U1A"),
        ("slack", "T1:U2", "T1:U2"),
        ("googlechat", "gchat:users/12", "users/12"),
        ("googlechat", "12", "users/12"),
        ("googlechat", "117345678901234567890", "users/117345678901234567890"),
        ("bluebubbles", "iMessage:Ann@Example.org", "ann@example.org"),
        ("imessage", "+49 170 123456", "+49170123456"),
        ("signal", "signal:+49170123456", "+49170123456"),
        ("whatsapp", "whatsapp:+1 (650) 555-1234", "+16505551234"),
        ("whatsapp", "US.13491208655302741918", "US.13491208655302741918"),
        ("whatsapp", "whatsapp:123456789012345@lid", "123456789012345@lid"),
        ("irc", "irc:account:Alice", "account:alice"),
        ("irc", "Alice!~A@Host", "alice!~a@host"),
        ("matrix", "matrix:@Ann:Server", "@Ann:Server"),
        ("mattermost", "@ABC", "abc"),
        ("nostr", "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6", key),
        ("nostr", &key.to_uppercase(), key),
        (
            "nostr",
            "nostr:nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p",
            key,
        ),
    ] {
        assert_eq!(entry(channel, typed).as_deref(), Some(written), "{channel} {typed}");
        assert_eq!(entry(channel, written).as_deref(), Some(written), "again: {channel} {written}");
    }
}

#[test]
fn i15_names_and_half_ids_are_no_ids() {
    for (channel, typed) in [
        ("telegram", "@alice"),
        ("telegram", "12a"),
        ("telegram", "012"),
        ("telegram", "*"),
        ("telegram", ""),
        ("discord", "alice"),
        ("irc", "alice"),
        ("irc", "account:"),
        ("irc", "!@"),
        ("slack", "alice"),
        ("signal", "alice"),
        ("whatsapp", "alice@lid"),
        ("whatsapp", "123:4@lid"),
        ("whatsapp", "16505551234@s.whatsapp.net"),
        ("nostr", "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w7"),
        ("nostr", "nsec180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"),
        ("nostr", "npub1"),
        (
            "nostr",
            "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9q",
        ),
        ("matrix", "ann"),
        ("matrix", "@ann"),
        ("matrix", "@:server"),
        ("matrix", "Ann Lee"),
        ("webchat", "abc"),
    ] {
        assert_eq!(entry(channel, typed), None, "{channel} {typed}");
    }
}

#[test]
fn i15_a_platform_id_is_never_stripped() {
    assert_eq!(platform("telegram", "tg:123"), None);
    // Written to a file and read again it would be the id of somebody else.
    for (channel, posing) in [
        ("feishu", "user:ou_1"),
        ("line", "line:U1"),
        ("matrix", "matrix:@ann:server"),
        ("mattermost", "@abc"),
        ("imessage", "sms:ann@example.org"),
        ("irc", "user:al!u@host"),
    ] {
        assert_eq!(platform(channel, posing), None, "{channel} {posing}");
    }
    assert_eq!(platform("irc", "account:irc").as_deref(), Some("account:irc"));
}

#[test]
fn i15_no_other_letter_becomes_a_plain_one() {
    for channel in ["mattermost", "nextcloud-talk"] {
        assert_eq!(platform(channel, "KARL").as_deref(), Some("karl"));
        assert_ne!(platform(channel, "\u{212a}arl").as_deref(), Some("karl"), "the Kelvin sign");
    }
    assert_ne!(platform("imessage", "\u{212a}@example.org").as_deref(), Some("k@example.org"));
}
