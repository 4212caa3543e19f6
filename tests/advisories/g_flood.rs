//! G. Guesses are counted before they are compared, and a flood of strangers costs nothing that stays.
//!
//! CVE-2026-34505, CVE-2026-33580, GHSA-5847-rm3g-23mw, CVE-2026-35656, CVE-2026-62220, CVE-2026-41343, CVE-2026-41399,
//! CVE-2026-28478.
//!
//! Also: `i12_five_wrong_codes_lock_codes_out_for_a_quarter_of_an_hour` and, for every store, the suite's
//! `i12_five_wrong_codes_from_outside_lock_codes_out`, `i12_a_right_code_ends_a_row_of_wrong_ones` and
//! `i12_the_local_owner_neither_counts_nor_is_locked_out`; `i11_refused_strangers_leave_nothing_in_memory`,
//! `i11_hours_are_bounded`; `sources_fold_mapped_addresses_and_whole_subnets`,
//! `an_address_gets_its_share_and_leaves_nothing_behind`, `g_no_header_makes_another_address`,
//! `g_one_stranger_behind_a_proxy_does_not_keep_the_others_out`;
//! `connections_beyond_the_bound_wait_their_turn` and its neighbours.

use dmgate::DmPolicy;

use crate::ground::{Ground, message, policy};

/// Strangers without end: three get a code, and from then on no file is touched, whoever else comes.
#[tokio::test]
async fn g_a_flood_touches_no_file() {
    let flood: u64 = std::env::var("DMGATE_FLOOD").map_or(20_000, |count| count.parse().unwrap());
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    for sender in ["1", "2", "3"] {
        assert_eq!(ground.says(&message("default", sender)).await, "pairing_required");
    }
    let before = ground.files();
    for sender in 0..flood {
        let said = ground.says(&message("default", &(1_000 + sender).to_string())).await;
        assert_eq!(said, "pending_full");
    }
    assert_eq!(ground.says(&message("default", "1")).await, "already_pending");
    assert_eq!(ground.files(), before);
}
