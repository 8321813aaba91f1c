//! What the requests of one instance share: the servers that they ask about, and who may ask.

use std::rc::Rc;

use events::{EVENTS, Feed, MESSAGES};
use http_api::Tokens;
use spin_adapter::postgres::Database;
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{Service, SpinRedis, SpinRuntime};
use versioned_cache::{Cache, Settings};

/// The state of the component.
pub struct App {
    /// What every component has: Redis, counters, events, rate limits.
    pub service: Rc<Service>,
    /// The database.
    pub database: Database,
    /// The cache. Only its counters are read here.
    pub cache: Rc<Cache<SpinRedis, SpinRuntime>>,
    /// The readers of the stream of events.
    pub events: Rc<Feed<SpinRedis, SpinRuntime>>,
    /// The readers of the stream of messages.
    pub messages: Rc<Feed<SpinRedis, SpinRuntime>>,
    /// How long one response with events lasts, in milliseconds.
    pub events_max_ms: u64,
    /// Who may use `/api/...`.
    pub tokens: Tokens,
    /// Who may read the metrics.
    pub metrics_tokens: Tokens,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables(service: &Rc<Service>) -> Result<Self, VariableError> {
        let [database, metrics, api, admin, events_max] =
            variables::read(["database_url", "metrics_token", "api_token", "admin_token", "events_max_seconds"])
                .await?;
        let counters = Rc::clone(&service.counters);
        let tokens = variables::tokens(api, admin.clone())?;
        if let Some(limits) = &service.rate_limits {
            limits.know_tokens(&tokens);
        }
        Ok(Self {
            database: Database::new(&database.text("the address of a PostgreSQL database")?),
            cache: Cache::with_counters(service.redis.clone(), SpinRuntime, Settings::default(), counters),
            events: Feed::new(Rc::clone(&service.client), EVENTS),
            messages: Feed::new(Rc::clone(&service.client), MESSAGES),
            events_max_ms: events_max_ms(events_max)?,
            tokens,
            metrics_tokens: variables::tokens(metrics, admin)?,
            service: Rc::clone(service),
        })
    }
}

fn events_max_ms(variable: Variable) -> Result<u64, VariableError> {
    let seconds: u64 = variable.parsed("a whole number of seconds from 1 to 86400", |s| (1..=86_400).contains(s))?;
    Ok(seconds * 1_000)
}
