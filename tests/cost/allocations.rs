//! No decision that needs no transaction allocates.

use dmgate::World;

use crate::scene::{Scene, Situation, Way};

fn none(situation: Situation) {
    let _turn = crate::turn();
    let scene = Scene::of(situation, 4, 100, World::default());
    for way in Way::ALL {
        let counted = allocation_counter::measure(|| scene.ask_all(way, &scene.messages));
        assert_eq!(counted.count_total, 0, "{way:?}");
    }
}

#[test]
fn a_known_sender_costs_no_allocation() {
    none(Situation::KnownBounded);
    none(Situation::KnownExact);
}

#[test]
fn i11_a_stranger_who_is_refused_costs_no_allocation() {
    none(Situation::Pending);
    none(Situation::OverCap);
}

#[test]
fn i16_a_message_of_a_group_costs_no_allocation() {
    none(Situation::Group);
}
