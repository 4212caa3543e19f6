//! The log of `dmgate run`: one line an event on stderr, as text or JSON, at a level that can change while we run.

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Level {
    /// What went wrong.
    Error,
    /// What may go wrong.
    Warn,
    /// What the owner wants to know.
    Info,
    /// Each decision.
    Debug,
    /// Everything of ours. The libraries stay at warnings: some of them log addresses with secrets in them.
    Trace,
}

/// How it is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Level {
    /// The words of the configuration.
    pub(crate) const WORDS: [(&str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// Ours at the level; of the libraries only what matters, since some of them log what passes through them.
    fn targets(self) -> Targets {
        let (ours, theirs) = match self {
            Self::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
            Self::Warn => (LevelFilter::WARN, LevelFilter::WARN),
            Self::Info => (LevelFilter::INFO, LevelFilter::WARN),
            Self::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
            Self::Trace => (LevelFilter::TRACE, LevelFilter::WARN),
        };
        let crates = ["dmgate", "dmgate_channels", "dmgate_gateway"];
        Targets::new().with_targets(crates.map(|name| (name, ours))).with_default(theirs)
    }
}

impl Format {
    /// The words of the configuration.
    pub(crate) const WORDS: [(&str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// The log, once it is open.
#[derive(Clone)]
pub(crate) struct Log(reload::Handle<Targets, tracing_subscriber::Registry>);

impl Log {
    /// Opens the log. Nothing was logged before.
    pub(crate) fn open(level: Level, format: Format) -> Self {
        let (filter, handle) = reload::Layer::new(level.targets());
        // A log whose reader went away must not end the gate.
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
        let lines = match format {
            Format::Json => lines.json().flatten_event(true).with_target(false).boxed(),
            Format::Text => lines.with_ansi(false).with_target(false).boxed(),
        };
        // It fails only if a log is open already; then that one stays.
        let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
        Self(handle)
    }

    /// Changes the level from now on.
    pub(crate) fn set_level(&self, level: Level) {
        // It fails only when the log is gone.
        let _ = self.0.reload(level.targets());
    }
}
