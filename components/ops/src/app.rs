//! What the requests of one instance share: the servers that they ask about, and who may ask.

use std::rc::Rc;

use http_api::Tokens;
use spin_adapter::postgres::Database;
use spin_adapter::variables::{self, VariableError};
use spin_adapter::{Service, SpinRedis, SpinRuntime};
use versioned_cache::{Cache, Settings};

/// The state of the component.
pub struct App {
    /// Redis and the counters.
    pub service: Rc<Service>,
    /// The database.
    pub database: Database,
    /// The cache, for its counters.
    pub cache: Rc<Cache<SpinRedis, SpinRuntime>>,
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
        let [database, metrics, api, admin] =
            variables::read(["database_url", "metrics_token", "api_token", "admin_token"]).await?;
        let counters = Rc::clone(&service.counters);
        let tokens = variables::tokens(api, admin.clone())?;
        if let Some(limits) = &service.rate_limits {
            limits.know_tokens(&tokens);
        }
        Ok(Self {
            database: Database::new(&database.text("the address of a PostgreSQL database")?),
            cache: Cache::with_counters(service.redis.clone(), SpinRuntime, Settings::default(), counters),
            tokens,
            metrics_tokens: variables::tokens(metrics, admin)?,
            service: Rc::clone(service),
        })
    }
}
