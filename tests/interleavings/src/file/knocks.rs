//! Knocks that come in while others are worked off.

use std::collections::BTreeMap;
use std::sync::Arc;

use loom::future::block_on;

use super::queue::{Answer, Queue};
use crate::pairing::{Knock, Knocked};
use crate::store::StoreError;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{play, task};

/// What a transaction works on. Two at a time would be one too many.
#[derive(Default)]
struct Codes {
    is_busy: AtomicBool,
    given: std::sync::Mutex<BTreeMap<u64, u64>>,
    /// Knocks that a transaction got, in their order.
    served: std::sync::Mutex<Vec<Knock>>,
}

impl Codes {
    fn serve(&self, knocks: &[Knock]) -> Result<Vec<Answer>, StoreError> {
        assert!(!self.is_busy.swap(true, Ordering::AcqRel), "two transactions at a time");
        self.served.lock().unwrap().extend(knocks);
        let mut given = self.given.lock().unwrap();
        let mut answers = Vec::new();
        for Knock(sender) in knocks {
            let next = given.len() as u64;
            answers.push(Ok(Knocked(*given.entry(*sender).or_insert(next))));
        }
        drop(given);
        self.is_busy.store(false, Ordering::Release);
        Ok(answers)
    }
}

fn knock(queue: &Queue, codes: &Arc<Codes>, sender: u64) -> Answer {
    let codes = Arc::clone(codes);
    block_on(queue.knock(Knock(sender), move |knocks| codes.serve(knocks)))
}

fn beside<T: 'static>(
    queue: &Queue,
    codes: &Arc<Codes>,
    task: impl FnOnce(&Queue, &Arc<Codes>) -> T + 'static,
) -> loom::thread::JoinHandle<T> {
    let (queue, codes) = (queue.clone(), Arc::clone(codes));
    loom::thread::spawn(move || task(&queue, &codes))
}

/// One sender knocks twice at a time.
pub fn together(interruptions: usize) {
    play(interruptions, || {
        let (queue, codes) = (Queue::default(), Arc::default());
        let other = beside(&queue, &codes, |queue, codes| knock(queue, codes, 7));
        let code = knock(&queue, &codes, 7).expect("an answer");
        assert_eq!(other.join().unwrap().ok(), Some(code), "one sender, one code");
        assert_eq!(*codes.served.lock().unwrap(), [Knock(7); 2]);
    });
}

/// A turn is dropped, as by a panic (which loom can't play) or a runtime that ends before it begins, while another
/// knocks.
pub fn a_dropped_turn(interruptions: usize) {
    play(interruptions, || {
        let (queue, codes) = (Queue::default(), Arc::default());
        let ended = beside(&queue, &codes, |queue, codes| {
            task::end_runtime();
            knock(queue, codes, 1)
        });
        // Who knocks while that turn ends is told so, too; nobody after that.
        let is_served = knock(&queue, &codes, 2).is_ok() || knock(&queue, &codes, 2).is_ok();
        assert!(is_served);
        let is_served = ended.join().unwrap().is_ok();
        assert_eq!(is_served, codes.served.lock().unwrap().contains(&Knock(1)));
    });
}
