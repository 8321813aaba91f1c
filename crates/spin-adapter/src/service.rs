//! What every component has besides its own state: Redis, counters, events, rate limits and a log.

use std::io::IsTerminal;
use std::rc::Rc;

use http_api::{JwtVerifier, Tokens};
use ports::{Client, ClientSettings, Runtime};
use rate_limit::{RateLimiter, Settings};
use telemetry::{Format, Levels};

use crate::counting::Recorder;
use crate::publishing::Events;
use crate::rate_limits::{Limiter, RateLimits};
use crate::redis::SpinRedis;
use crate::runtime::SpinRuntime;
use crate::variables::{self, Variable, VariableError};

/// The deadlines of [`Service::client`]. Responses of most components do not wait for it.
const CLIENT: ClientSettings = ClientSettings { timeout_ms: 200, circuit_open_ms: 500, patience_ms: 800 };

/// What every component has besides its own state. An instance builds it once.
pub struct Service {
    /// The name of the component.
    pub component: &'static str,
    /// The Redis server of caches, counters and events.
    pub redis: SpinRedis,
    /// A client of this server, for counting and for the routes of operations.
    pub client: Rc<Client<SpinRedis, SpinRuntime>>,
    /// The counters of this instance.
    pub counters: Rc<Recorder>,
    /// The events of this component.
    pub events: Events,
    /// The counters of rate limits.
    pub limiter: Rc<Limiter>,
    /// The rate limits of this component; `None`: it has none.
    pub(crate) rate_limits: Option<RateLimits>,
}

impl Service {
    /// Builds it from the variables that all components have, and starts the log.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub(crate) async fn from_variables(component: &'static str) -> Result<Rc<Self>, VariableError> {
        let levels = variables::read(["log_level"]).await.and_then(|[levels]| levels_of(levels));
        fastrand::seed(SpinRuntime.random_u64());
        // With the default, so that the error is written.
        let level = levels.as_ref().map_or(tracing::metadata::LevelFilter::INFO, |levels| levels.of(component));
        telemetry::init(component, level, format());
        levels?;
        let [redis, events_max_length, limit_timeout] =
            variables::read(["redis_url", "events_max_length", "rate_limit_timeout_ms"]).await?;
        let redis = SpinRedis::new(redis.text("the address of a Redis server")?);
        let client = Rc::new(Client::new(redis.clone(), Rc::new(SpinRuntime), CLIENT));
        let counters = Recorder::new(Rc::clone(&client));
        let events = Events::new(component, redis.clone(), events_max_length, &counters)?;
        let settings = Settings { timeout_ms: limit_timeout.milliseconds()?, ..Settings::default() };
        let limiter = RateLimiter::new(redis.clone(), Rc::new(SpinRuntime), settings);
        let rate_limits = RateLimits::from_variables(component, &limiter, &counters).await?;
        Ok(Rc::new(Self { component, redis, client, counters, events, limiter, rate_limits }))
    }

    /// A client with a connection and a circuit breaker of its own, for large replies. Nothing else waits behind them.
    pub fn separate_client(&self) -> Rc<Client<SpinRedis, SpinRuntime>> {
        Rc::new(Client::new(self.redis.separate(), Rc::new(SpinRuntime), CLIENT))
    }

    /// Gives programs with one of these tokens quotas of their own, whatever their address.
    pub fn identify_by_tokens(&self, tokens: &Tokens) {
        if let Some(limits) = &self.rate_limits {
            limits.know_tokens(tokens);
        }
    }

    /// Gives users with a JSON Web Token that `verifier` accepts quotas of their own, whatever their address.
    pub fn identify_by_jwt(&self, verifier: &JwtVerifier) {
        if let Some(limits) = &self.rate_limits {
            limits.know_users(verifier);
        }
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
