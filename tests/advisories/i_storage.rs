//! I. What is stored is whole, private and current, after every crash, in every process, after every reload.
//!
//! CVE-2026-53856, CVE-2026-41916, CVE-2026-45005, GHSA-275c-xpvc-jgfw, GHSA-4m3v-q747-pc6h.
//!
//! Also: `i1_i2_i3_i4_i5_i6_a_process_that_dies_leaves_all_or_nothing` (a crash at every step of every transaction),
//! `i7_a_damaged_pending_file_costs_new_codes` and its neighbours (never overwritten),
//! `i1_i9_a_revocation_by_another_process_of_ours_holds_at_the_very_next_message`,
//! `i9_a_policy_holds_from_the_next_message_on`,
//! `i_what_is_made_is_its_owners_alone_whatever_the_umask`, `root_leaves_what_it_makes_to_the_owner_of_the_directory`,
//! `what_others_can_reach_needs_a_token`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use dmgate::DmPolicy;
use dmgate::pairing::Target;

use crate::ground::{Ground, id, key, message, owner, policy};

fn modes(ground: &Ground) -> Vec<(String, u32)> {
    let entries = std::fs::read_dir(ground.dir()).unwrap().map(Result::unwrap);
    let mode = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777)
    };
    entries.map(mode).collect()
}

/// No write leaves a file open to others that was closed, and each closes what was readable.
#[tokio::test]
async fn i_no_write_loosens_a_file() {
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    let write_all = async || {
        let account = key("default");
        ground.says(&message("default", "42")).await;
        ground.approve(Target::Sender(id("42"))).await.unwrap();
        ground.allow("43").await;
        ground.store().block(&account, &id("44"), &owner()).await.unwrap();
        ground.store().unblock(&account, &id("44"), &owner()).await.unwrap();
        for who in ["42", "43"] {
            ground.store().revoke(&account, &id(who), &owner()).await.unwrap();
        }
        ground.clock.advance(std::time::Duration::from_secs(3_601));
    };
    write_all().await;
    assert!(modes(&ground).iter().all(|(_, mode)| *mode == 0o600), "{:?}", modes(&ground));
    for (name, _) in modes(&ground) {
        std::fs::set_permissions(ground.dir().join(name), Permissions::from_mode(0o644)).unwrap();
    }
    write_all().await;
    let loose: Vec<_> = modes(&ground)
        .into_iter()
        .filter(|(name, mode)| !name.ends_with(".lock") && *mode != 0o600)
        .collect();
    assert!(loose.is_empty(), "{loose:?}");
}
