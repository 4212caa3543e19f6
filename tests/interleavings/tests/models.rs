//! Plays every model; the last number says how often threads are interrupted at most.
#![allow(missing_docs, reason = "tests")]

use dmgate_interleavings::{file, gate};

#[test]
fn i1_i9_no_revision_outlives_a_change() {
    file::changes::writes(1, 3);
}

#[test]
fn i1_i9_no_revision_outlives_one_of_two_changes() {
    file::changes::writes(2, 3);
}

#[test]
fn i1_i9_no_revision_outlives_another_directory() {
    file::changes::replacement(2);
}

#[test]
fn i9_who_waits_for_a_change_is_woken() {
    file::changes::waiting(file::kernel::write, 3);
}

#[test]
fn i9_who_waits_is_woken_when_the_directory_is_replaced() {
    file::changes::waiting(file::kernel::replace, 2);
}

#[test]
fn i2_who_knocks_twice_at_a_time_gets_one_code_and_each_is_answered() {
    file::knocks::together(3);
}

#[test]
fn a_turn_that_is_dropped_frees_the_queue() {
    file::knocks::a_dropped_turn(2);
}

#[test]
fn a_policy_is_in_force_when_it_was_set_and_loses_nothing_to_a_load() {
    gate::decisions::a_policy(3);
}

#[test]
fn of_two_policies_the_last_stays_in_force() {
    gate::decisions::policies(3);
}

#[test]
fn i1_i9_no_decision_rests_on_a_state_from_before_a_change() {
    gate::decisions::a_change(3);
}

#[test]
fn i1_within_a_bound_no_decision_rests_on_an_older_state() {
    gate::decisions::a_change_within_the_bound(false, 3);
}

#[test]
fn i1_within_a_bound_the_first_reading_counts_from_its_beginning() {
    gate::decisions::a_change_within_the_bound(true, 3);
}
