//! What is written to the log meanwhile, so that secrets in it are found.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Listens to this thread's log until it is dropped.
pub(super) struct Overheard {
    heard: Arc<Mutex<String>>,
    _guard: DefaultGuard,
}

struct Listener(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Overheard {
    pub(super) fn begin() -> Self {
        let heard = Arc::new(Mutex::new(String::new()));
        let guard = tracing::subscriber::set_default(Listener(Arc::clone(&heard)));
        Self { heard, _guard: guard }
    }

    /// Everything that was written.
    pub(super) fn end(self) -> String {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Listener {
    fn hear(&self, write: impl FnOnce(&mut Line<'_>)) {
        write(&mut Line(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.hear(|line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.hear(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.hear(|line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A text can always be written to.
        let _ = writeln!(self.0, "{field}={value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // As it is: quotes and backslashes in a secret would hide it.
        let _ = writeln!(self.0, "{field}={value}");
    }
}
