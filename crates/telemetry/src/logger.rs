//! Writes the events of `tracing` as lines. Spans are ignored: a request has one context ([`crate::Request`]), which
//! costs less.

use std::fmt;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::format::{Format, Line};
use crate::lines;
use crate::repeats;

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Sets what this instance writes. Only the first call has an effect.
pub fn init(component: &'static str, level: LevelFilter, format: Format) {
    let logger = *LOGGER.get_or_init(|| Logger { component, level, format });
    // It fails if there is a subscriber already: then this is not the first call.
    let _ = tracing::subscriber::set_global_default(logger);
}

/// Whether lines of this level are written.
pub fn is_enabled(level: Level) -> bool {
    current_logger().is_some_and(|logger| logger.is_enabled(level))
}

pub(crate) fn current_logger() -> Option<Logger> {
    LOGGER.get().copied()
}

#[derive(Clone, Copy)]
pub(crate) struct Logger {
    component: &'static str,
    level: LevelFilter,
    format: Format,
}

impl Logger {
    pub(crate) fn is_enabled(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes a line. Warnings and errors are written at once: the instance may trap next.
    pub(crate) fn write(&self, level: Level, fields: impl FnOnce(&mut Line<'_>)) {
        lines::append(level <= Level::WARN, |out| {
            let mut line = Line::begin(out, self.format, level, self.component);
            fields(&mut line);
            line.end();
        });
    }
}

impl Subscriber for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.is_enabled(*metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        // Other lines are not about outages, and some of them say what has changed: none is left out.
        let is_limited = *event.metadata().level() <= Level::WARN;
        let omitted = if is_limited { repeats::admit(event.metadata()) } else { Some(0) };
        let Some(omitted) = omitted else { return };
        self.write(*event.metadata().level(), |line| {
            event.record(&mut Message(line));
            event.record(&mut Values(line));
            if omitted > 0 {
                line.number("omitted", omitted);
            }
            if let Some(trace) = Self::current_trace() {
                line.text("trace_id", &trace.trace_id());
            }
        });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

const MESSAGE: &str = "message";

/// Writes the message, which `tracing` passes as one of the fields.
struct Message<'a, 'b>(&'a mut Line<'b>);

impl Visit for Message<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            self.0.event(fmt::from_fn(|f| value.fmt(f)));
        }
    }
}

/// Writes the other fields.
struct Values<'a, 'b>(&'a mut Line<'b>);

impl Visit for Values<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != MESSAGE {
            self.0.field(field.name(), fmt::from_fn(|f| value.fmt(f)));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE {
            self.0.field(field.name(), value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.number(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.number(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.number(field.name(), value);
    }
}
