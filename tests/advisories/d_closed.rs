//! D. What is absent, empty, unknown or unreadable lets nobody in; everyone is in by `open` with `*` alone.
//!
//! GHSA-gw85-xp4q-5gp9, CVE-2026-34506, CVE-2026-33578, CVE-2026-35649, CVE-2026-28448, GHSA-gp79-m99v-gjmh,
//! CVE-2026-44993, CVE-2026-44109, GHSA-534w-2vm4-89xr, CVE-2026-34953.
//!
//! Also: `i1_the_table_of_policies`, `i7_policies_are_never_guessed`, `a_star_stands_beside_open_only`,
//! `i7_i8_a_damaged_allow_file_costs_its_account` and its neighbours (every kind of damage of every file),
//! `i7_policies_change_with_a_hang_up_and_stay_when_their_section_goes`,
//! `i14_nothing_is_proven_where_no_secret_is_configured`; chats of no known kind are with class A.

use dmgate::pairing::{PairingCode, Target};
use dmgate::{AccountPolicy, Clock as _, DmPolicy, Limits};

use crate::ground::{Ground, key, message, policy};

/// However `*` is written into what is stored, it is nobody: only the configuration of an open account has it.
#[tokio::test]
async fn d_a_star_that_is_stored_is_nobody() {
    let stars = r#""*", " * ", "\u002a", "tg:*", "telegram:*", "TG: *", "**", "*:*", "all", "any", "", " ", 0, -1, 1e9, true, null, [], {}, ["*"], {"*":"*"}, {"allow":true}"#;
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    ground.allow("1").await;
    for name in ["telegram-allowFrom.json", "telegram-default-allowFrom.json", "telegram-work-allowFrom.json"]
    {
        ground.put(
            name,
            &format!(
                r#"{{"version":1,"allowFrom":[{stars},"1"],"dmPolicy":"open","everyone":true,"*":"*"}}"#
            ),
        );
    }
    for (dm, said) in [
        (DmPolicy::Pairing, "pairing_required"),
        (DmPolicy::Allowlist, "not_allowlisted"),
        (DmPolicy::Open, "not_allowlisted"),
        (DmPolicy::Disabled, "disabled"),
    ] {
        ground.gate.set_policies([], policy(dm, &[]));
        for account in ["default", "work"] {
            let known = ground.says(&message(account, "1")).await;
            assert_eq!(
                known == "allowlisted",
                matches!(dm, DmPolicy::Pairing | DmPolicy::Open),
                "{dm}: {known}"
            );
            assert_eq!(ground.says(&message(account, "42")).await, said, "{dm} {account}");
        }
    }
    // Nor is it somebody who waits.
    let now = ground.clock.now();
    ground.put("telegram-pairing.json", &format!(
        r#"{{"version":1,"requests":[{{"id":"*","code":"ABCDEFGH","createdAt":"{now}"}},{{"id":"tg:*","code":"BBCDEFGH","createdAt":"{now}"}}]}}"#
    ));
    for code in ["ABCDEFGH", "BBCDEFGH"] {
        let code = PairingCode::parse(code).unwrap();
        assert!(ground.approve(Target::Code(code)).await.is_err());
    }
    ground.gate.set_policies([], policy(DmPolicy::Open, &[]));
    assert_eq!(ground.says(&message("default", "42")).await, "not_allowlisted");
}

/// An entry of the configuration is an id, `*` beside `open`, or an error: nothing is left out in silence, and a list
/// that lost all its entries is not one that lets everyone in.
#[test]
fn d_an_entry_is_an_id_or_an_error() {
    let channel = key("default");
    let make = |dm, entry: &str| AccountPolicy::new(channel.channel(), dm, [entry], Limits::default());
    let bad = [
        "",
        " ",
        "\t",
        "**",
        "*:*",
        "tg:*",
        "telegram:*",
        "\u{200b}*",
        "*\u{200b}",
        "\u{ff0a}",
        "all",
        "any",
        "null",
        "[]",
        "0",
        "-1",
        "@ann",
        "1,2",
        "1 2",
    ];
    for dm in [DmPolicy::Pairing, DmPolicy::Allowlist, DmPolicy::Open, DmPolicy::Disabled] {
        for entry in bad {
            assert!(make(dm, entry).is_err(), "{dm} {entry:?}");
        }
        let empty = AccountPolicy::new(channel.channel(), dm, [], Limits::default()).unwrap();
        assert!(!empty.everyone() && empty.allow_from().is_empty());
        assert!(!make(dm, "1").unwrap().everyone());
    }
    assert_eq!(AccountPolicy::default().dm(), DmPolicy::Pairing);
}

/// A list that becomes empty, by the configuration or in its file, is empty at the next message.
#[tokio::test]
async fn d_a_list_that_became_empty_is_empty() {
    for dm in [DmPolicy::Pairing, DmPolicy::Allowlist, DmPolicy::Open] {
        let ground = Ground::new(policy(dm, &["42"]));
        assert_eq!(ground.says(&message("default", "42")).await, "allowlisted");
        ground.gate.set_policies([], policy(dm, &[]));
        assert_ne!(ground.says(&message("default", "42")).await, "allowlisted", "{dm}");
        for list in ["[]", "[null]", r#"["*"]"#] {
            ground.allow("7").await;
            ground.put("telegram-allowFrom.json", &format!(r#"{{"version":1,"allowFrom":{list}}}"#));
            assert_ne!(ground.says(&message("default", "7")).await, "allowlisted", "{dm} {list}");
        }
    }
}
