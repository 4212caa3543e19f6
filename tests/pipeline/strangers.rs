//! A flood of strangers costs nothing that stays.

use allocation_counter::{AllocationInfo, measure};
use dmgate::{AccountPolicy, DmGate, DmPolicy, InboundMessage, Limits, MockAgent};
use tokio::runtime::Builder;

use crate::support::{Echo, Ground, HOUR, account, adapter, message, start};

const FLOOD: usize = 100_000;

fn stranger(number: usize) -> InboundMessage {
    message(&(1_000 + number).to_string(), "hi")
}

/// What stays of `deliveries` of distinct strangers, with all slots taken: bytes on the heap, and tasks.
fn flood(deliveries: usize) -> (AllocationInfo, usize) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![]);
    let running = runtime.block_on(async {
        let running = ground.run(adapter, MockAgent::new());
        for id in ["1", "2", "3"] {
            running.inbox.deliver(message(id, "hi")).await;
        }
        for _ in 0..3 {
            sends.next().await;
        }
        // The first look after the codes went out reads the state anew; the next forgets the one before.
        sends.silence(HOUR).await;
        for id in ["4", "5"] {
            running.inbox.deliver(message(id, "hi")).await;
        }
        running
    });
    let tasks = || runtime.metrics().num_alive_tasks();
    let before = tasks();
    // A large future is boxed by the runtime, once: not a stranger's doing.
    let mut all = Box::pin(async {
        for number in 0..deliveries {
            running.inbox.deliver(stranger(number)).await;
            assert_eq!(tasks(), before, "a task for a stranger");
        }
    });
    let allocated = measure(|| runtime.block_on(all.as_mut()));
    drop(all);
    runtime.block_on(running.stop());
    (allocated, sends.so_far().len())
}

#[test]
fn i11_refused_strangers_leave_nothing_in_memory() {
    for deliveries in [100, FLOOD] {
        let (allocated, sent) = flood(deliveries);
        assert_eq!(sent, 0);
        assert_eq!((allocated.count_current, allocated.bytes_current), (0, 0), "{deliveries} strangers");
        // All that was allocated are the messages themselves, which the test makes.
        let messages = measure(|| (0..deliveries).for_each(|number| drop(stranger(number))));
        assert_eq!(allocated.count_total, messages.count_total);
    }
}

/// Everyone is let in and answered once: what stays does not depend on how many they were.
#[test]
fn i11_conversations_that_are_over_leave_nothing_in_memory() {
    let everyone = AccountPolicy::new(account().channel(), DmPolicy::Open, ["*"], Limits::default()).unwrap();
    let gate = DmGate::builder().clock(Ground::new().clock).policy(everyone).build();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (adapter, mut sends) = adapter(vec![]);
    let running = runtime.block_on(async { start(gate, adapter, Echo) });
    let mut answer = |number| {
        runtime.block_on(async {
            assert!(running.inbox.deliver(stranger(number)).await);
            sends.next().await;
            sends.silence(HOUR).await;
        });
    };
    // Tables grow to their size, and channels to their first block.
    (0..1_000).for_each(&mut answer);
    let tasks = runtime.metrics().num_alive_tasks();
    let allocated = measure(|| (1_000..2_000).for_each(&mut answer));
    assert_eq!(runtime.metrics().num_alive_tasks(), tasks);
    assert!(allocated.bytes_current < 1_000, "{allocated:?}");
    runtime.block_on(running.stop());
}
