//! The states that a thread looked at last.
//!
//! A state is looked at on every message and replaced at human speed. Getting it from behind the shared pointer costs two
//! atomic exchanges; here it costs a comparison. The price: a thread that sees no more
//! messages of an account keeps the last state that it saw.

use std::cell::Cell;
use std::sync::Arc;

use super::account::{Account, State};
use crate::sync::thread_local;

/// More than most gates have accounts. Those that share a place put each other out.
const PLACES: usize = 64;

thread_local! {
    static RECENT: [Cell<Option<Arc<State>>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

impl Account {
    /// Looks at the state as it is now.
    #[inline]
    pub(super) fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        RECENT.with(|recent| {
            let place = usize::try_from(self.number.get() % PLACES as u64).ok().and_then(|at| recent.get(at));
            // Taken out meanwhile: looking writes to the log, and what takes the log may ask the gate.
            let state = match place.and_then(Cell::take) {
                Some(state) if state.of == self.number && state.version == self.version() => state,
                _ => self.state(),
            };
            let seen = at(&state);
            if let Some(place) = place {
                place.set(Some(state));
            }
            seen
        })
    }
}
