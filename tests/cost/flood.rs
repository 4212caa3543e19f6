//! Strangers without end.

use dmgate::{Freshness, Sender, SenderId, World};

use crate::scene;
use crate::steps::Steps;

#[test]
fn i11_a_hundred_thousand_strangers_leave_nothing_behind_but_three_requests() {
    let _turn = crate::turn();
    Steps::count();
    let dir = tempfile::tempdir().unwrap();
    let gate = scene::open(dir.path(), Freshness::Exact, World::default());
    let (account, runtime) = (scene::account(0), scene::runtime());
    let mut message = scene::hello(&account, "1");
    let mut ask = |number: u64| {
        let id = format!("{}", 1_000_000_000 + number);
        message.sender = Sender::new(SenderId::parse(account.channel(), &id).unwrap());
        runtime.block_on(gate.admit(&message)).reason().as_str()
    };
    let before = Steps::now();
    let codes = (0..1_000).filter(|number| ask(*number) == "pairing_required").count();
    assert_eq!(codes, 3);
    let written = Steps::now() - before;
    // Three times the pending file and our record, which is new at first.
    assert_eq!((written.replaces, written.appends), (3 + 1, 2));

    let before = Steps::now();
    let kept = allocation_counter::measure(|| {
        assert!((1_000..100_000).all(|number| ask(number) == "pending_full"));
    });
    assert_eq!(kept.bytes_current, 0);
    let written = Steps::now() - before;
    assert_eq!((written.replaces, written.appends), (0, 0));
}
