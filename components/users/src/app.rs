//! What the requests of one instance share: the cache of users and the table.

use std::rc::Rc;

use http_api::Problem;
use spin_adapter::cache::{self, ttl};
use spin_adapter::postgres::{Database, DatabaseError};
use spin_adapter::variables::{self, VariableError};
use spin_adapter::{Events, Service, SpinRedis, SpinRuntime};
use versioned_cache::{Cache, Kind, Pages, Repository, Settings, Ttl, WriteError};

use crate::access::Access;
use crate::input::NewUser;
use crate::store::{Store, StoreError};
use crate::user::User;

/// How long a request for a page waits for another request that reads the page, in ms: longer than that one may wait
/// for Redis, for a connection to PostgreSQL (5 s), and for its statement (6 s). Otherwise, each request would send a
/// statement of its own to a slow database.
const PAGE_WAIT_MS: u64 = 12_000;

/// For how many timeouts of a page no page is read from Redis after one of them.
const PAGE_BREAK: u64 = 4;

/// The state of the component.
pub struct App {
    /// Users, through the cache.
    pub users: Repository<SpinRedis, SpinRuntime>,
    /// The same on the connection of the pages, for many users at once.
    pub many_users: Repository<SpinRedis, SpinRuntime>,
    /// Pages of the list, on a connection and with a timeout of their own: single users do not wait behind a large
    /// page, and a slow page does not open their circuit breaker.
    pub pages: Pages<SpinRedis, SpinRuntime, DatabaseError>,
    /// Users in the database.
    pub store: Store,
    /// Who may use the routes.
    pub access: Access,
    /// Publishes what has changed.
    pub events: Events,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables(service: &Service) -> Result<Self, VariableError> {
        let [database, enabled, user, list, absent, timeout, policy, verify] = variables::read([
            "database_url",
            "cache_enabled",
            "cache_ttl_user",
            "cache_ttl_users_list",
            "cache_ttl_absent",
            "cache_timeout_ms",
            "cache_write_policy",
            "cache_verify_ratio",
        ])
        .await?;
        let absent_s = ttl(absent)?;
        let kind = Kind {
            item: "user",
            list: "users",
            item_ttl: Ttl { found_s: ttl(user)?, absent_s },
            list_ttl: Ttl { found_s: ttl(list)?, absent_s },
        };
        let settings = cache::settings(enabled, timeout, policy, verify).await?;
        let database = Database::new(&database.text("the address of a PostgreSQL database")?);
        // The reply with one page may take as long as all attempts of other operations together.
        let timeout_ms = settings.timeout_ms.max(settings.patience_ms);
        // So that the timeouts take a small part of the time while Redis hangs.
        let breaker_ms = settings.breaker_ms.max(PAGE_BREAK * timeout_ms);
        let page_settings = Settings { timeout_ms, breaker_ms, fill_wait_ms: PAGE_WAIT_MS, ..settings };
        let cache = |redis, settings| Cache::with_counters(redis, SpinRuntime, settings, Rc::clone(&service.counters));
        let page_cache = cache(service.redis.separate(), page_settings);
        Ok(Self {
            users: Repository::new(cache(service.redis.clone(), settings), kind),
            many_users: Repository::new(Rc::clone(&page_cache), kind),
            pages: Pages::new(page_cache, kind),
            store: Store::new(database),
            access: Access::from_variables(service).await?,
            events: service.events.clone(),
        })
    }

    /// Creates all of `new`, or none. Draws their ids first, because the cache must know before the INSERT which users
    /// it creates.
    ///
    /// # Errors
    /// Outer: the ids could not be drawn. Inner: the INSERT failed.
    pub async fn create(&self, new: &[NewUser]) -> Result<Result<Vec<User>, WriteError<StoreError>>, Problem> {
        let ids = self.store.draw_ids(new.len()).await.map_err(DatabaseError::into_problem)?;
        Ok(self.users.create(&ids, async || self.store.insert(&ids, new).await).await)
    }
}
