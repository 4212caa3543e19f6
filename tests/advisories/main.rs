//! Published advisories about gates like this one, by class: each attack is tried here, through real parts.
//!
//! `docs/ADVISORIES.md` lists the ids, and the tests elsewhere that stand for a class as well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

mod a_groups;
mod b_accounts;
mod c_ids;
mod d_closed;
mod e_order;
mod f_approval;
mod g_flood;
mod ground;
mod h_devices;
mod i_storage;
