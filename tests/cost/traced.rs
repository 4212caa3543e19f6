//! No system call within the bound; else one look at the event queue, and nothing else.

use std::process::Command;

use dmgate::World;

use crate::scene::{Scene, Situation, Way};
use crate::system_calls::{between_marks, marked};

const SENDERS: usize = 500;

/// Names the situation to this program when it is traced.
const TRACED: &str = "DMGATE_TEST_TRACED";

#[test]
fn i11_no_decision_costs_more_than_a_look_at_the_event_queue() {
    if let Ok(situation) = std::env::var(TRACED) {
        let scene = Scene::of(Situation::named(&situation).unwrap(), 2, SENDERS, World::default());
        return marked(|| scene.ask_all(Way::Gate, &scene.messages));
    }
    let _turn = crate::turn();
    let name = "traced::i11_no_decision_costs_more_than_a_look_at_the_event_queue";
    for situation in Situation::ALL {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", name, "--nocapture"]).env(TRACED, situation.name());
        let calls = between_marks(&program);
        let is_look = |call: &&String| call.contains("FIONREAD, [0])") && call.ends_with("= 0");
        assert_eq!(calls.iter().find(|call| !is_look(call)), None, "{situation:?}");
        let each = match situation {
            Situation::KnownBounded | Situation::Group => 0,
            Situation::KnownExact | Situation::Pending | Situation::OverCap => 1,
        };
        assert_eq!(calls.len(), each * 2 * SENDERS, "{situation:?}");
    }
}
