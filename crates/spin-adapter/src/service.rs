//! What every component has besides its own state: Redis, counters, events, rate limits and a log.

use std::io::IsTerminal;
use std::rc::Rc;

use counters::Recorder;
use ports::{Client, ClientSettings, Runtime};
use rate_limit::{RateLimiter, Settings};
use telemetry::{Format, Levels};

use crate::publishing::Events;
use crate::rate_limits::{Limiter, RateLimits};
use crate::redis::SpinRedis;
use crate::runtime::SpinRuntime;
use crate::variables::{self, Variable, VariableError};

/// Counts in Redis.
pub type Counters = Recorder<SpinRedis, SpinRuntime>;

/// The deadlines of [`Service::client`]. Responses of most components do not wait for it.
const CLIENT: ClientSettings = ClientSettings { timeout_ms: 500, circuit_open_ms: 500, patience_ms: 1_500 };

/// What every component has besides its own state. An instance builds it once.
pub struct Service {
    /// The name of the component.
    pub component: &'static str,
    /// The Redis server of caches, counters and events.
    pub redis: SpinRedis,
    /// A client of this server, for counting and for the routes of operations.
    pub client: Rc<Client<SpinRedis, SpinRuntime>>,
    /// The counters of this instance.
    pub counters: Rc<Counters>,
    /// The events of this component.
    pub events: Events,
    /// The counters of rate limits.
    pub limiter: Rc<Limiter>,
    /// The rate limits of this component; `None`: it has none.
    pub rate_limits: Option<RateLimits>,
}

impl Service {
    /// Builds it from the variables that all components have, and starts the log.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub(crate) async fn from_variables(component: &'static str) -> Result<Rc<Self>, VariableError> {
        let levels = match variables::read(["log_level"]).await {
            Ok([levels]) => levels_of(levels),
            Err(error) => Err(error),
        };
        fastrand::seed(SpinRuntime.random_u64());
        // With the default, so that the error is written.
        let level = levels.as_ref().map_or(tracing::metadata::LevelFilter::INFO, |levels| levels.of(component));
        telemetry::init(component, level, format());
        levels?;
        let [redis, events_max_length] = variables::read(["redis_url", "events_max_length"]).await?;
        let redis = SpinRedis::new(redis.text("the address of a Redis server")?);
        let client = Rc::new(Client::new(redis.clone(), Rc::new(SpinRuntime), CLIENT));
        let counters = Recorder::new(Rc::clone(&client));
        let events = Events::new(component, redis.clone(), events_max_length, &counters)?;
        let limiter = RateLimiter::new(redis.clone(), Rc::new(SpinRuntime), Settings::default());
        let rate_limits = RateLimits::from_variables(component, &limiter, &counters).await?;
        Ok(Rc::new(Self { component, redis, client, counters, events, limiter, rate_limits }))
    }
}

fn levels_of(variable: Variable) -> Result<Levels, VariableError> {
    variable.parsed("off, error, warn, info or debug, and further levels as in `info,cache=debug`", |_| true)
}

/// As the environment variable `LOG_FORMAT` says; otherwise text for a terminal, and JSON for everything else.
fn format() -> Format {
    match std::env::var("LOG_FORMAT").as_deref() {
        Ok("json") => Format::Json,
        Ok("text") => Format::Text,
        _ if std::io::stderr().is_terminal() => Format::Text,
        _ => Format::Json,
    }
}
