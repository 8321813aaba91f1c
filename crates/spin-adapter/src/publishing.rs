//! The events of a component.

use std::rc::Rc;

use counters::Counter;
use events::{Channel, NewEvent, PATIENCE_MS, Publisher};
use ports::{Client, ClientSettings, RedisError};

use crate::observe::METRICS;
use crate::redis::SpinRedis;
use crate::runtime::SpinRuntime;
use crate::service::Counters;
use crate::variables::{Variable, VariableError};

/// The deadlines of publishing. Only the response to `POST /api/publish/:channel` waits for it.
const CLIENT: ClientSettings = ClientSettings { timeout_ms: 500, circuit_open_ms: 500, patience_ms: PATIENCE_MS };

/// The greatest length of a stream. More events would take too much memory of Redis.
const LENGTH_MAX: u64 = 1_000_000;

/// Publishes the events of this instance.
#[derive(Clone)]
pub struct Events(Rc<Publisher<SpinRedis, SpinRuntime>>);

impl Events {
    pub(crate) fn new(
        component: &str,
        redis: SpinRedis,
        max_length: Variable,
        counters: &Rc<Counters>,
    ) -> Result<Self, VariableError> {
        let max_length =
            max_length.parsed("a whole number from 0 (no events) to 1000000", |length| *length <= LENGTH_MAX)?;
        let client = Rc::new(Client::new(redis, Rc::new(SpinRuntime), CLIENT));
        let counters = Rc::clone(counters);
        let count_lost = move |events: u64| {
            counters.count(Counter::new(METRICS, ["events_failed"]), i64::try_from(events).unwrap_or(i64::MAX));
        };
        Ok(Self(Publisher::new(client, format!("/{component}"), max_length, count_lost)))
    }

    /// Whether there are events at all.
    pub fn is_enabled(&self) -> bool {
        self.0.is_enabled()
    }

    /// Publishes an event after the response, and logs it. Call it after the commit, and only if something has changed.
    pub fn emit(&self, event: NewEvent) {
        log(&event);
        self.0.emit(event, telemetry::traceparent());
    }

    /// Publishes a message of an application, and returns its id.
    ///
    /// # Errors
    /// Redis does not reply, or refuses. The message may have been published.
    pub async fn send(&self, channel: &Channel, message: NewEvent) -> Result<String, RedisError> {
        self.0.send(channel, message, telemetry::traceparent()).await
    }
}

/// Writes a line such as `user created`. Changes of the cache have the level `debug`, because there are many.
fn log(event: &NewEvent) {
    let (what, subject) = (event.kind().trim_start_matches("tumbler.").replace(['.', '-'], " "), event.subject());
    match event.kind() {
        kind if kind.starts_with("tumbler.cache.") => tracing::debug!(subject, "{what}"),
        _ => tracing::info!(subject, "{what}"),
    }
}
