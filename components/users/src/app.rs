//! What the requests of one instance share: the cache, the table, and how long entries live.

use std::rc::Rc;

use spin_adapter::database::Database;
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{SpinRedis, SpinRuntime};
use versioned_cache::{Cache, Entry, Scope, Settings, Ttl, Write, WritePolicy};

use crate::list_query::PageQuery;
use crate::store::Store;

/// A year: longer TTLs are more likely a slip than a wish.
const TTL_MAX_S: u64 = 365 * 24 * 60 * 60;
const CACHE_TIMEOUT_MAX_MS: u64 = 10_000;

/// The component at work.
pub struct App {
    /// Users as they are cached.
    pub cache: Rc<Cache<SpinRedis, SpinRuntime>>,
    /// Users as they are stored.
    pub store: Store,
    ttl_user: Ttl,
    ttl_list: Ttl,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables() -> Result<Self, VariableError> {
        let [redis, database, enabled, user, list, absent, timeout, policy] = variables::read([
            "redis_url",
            "database_url",
            "cache_enabled",
            "cache_ttl_user",
            "cache_ttl_users_list",
            "cache_ttl_absent",
            "cache_timeout_ms",
            "cache_write_policy",
        ])
        .await?;
        let absent_s = ttl(absent)?;
        let settings = Settings {
            enabled: enabled.parsed("true or false", |_| true)?,
            timeout_ms: timeout.parsed("a whole number of milliseconds from 1 to 10000", |ms| {
                (1..=CACHE_TIMEOUT_MAX_MS).contains(ms)
            })?,
            write_policy: write_policy(policy)?,
            ..Settings::default()
        };
        let redis = SpinRedis::new(redis.text("the address of a Redis server")?);
        let database = Database::new(&database.text("the address of a PostgreSQL database")?);
        Ok(Self {
            cache: Cache::new(redis, SpinRuntime, settings),
            store: Store::new(database),
            ttl_user: Ttl { found_s: ttl(user)?, absent_s },
            ttl_list: Ttl { found_s: ttl(list)?, absent_s },
        })
    }

    /// The entry of one user, counted as `operation`. That there is no such user is stored only while no create is in
    /// flight.
    pub fn user_entry(&self, id: i64, operation: &'static str) -> Entry {
        Entry::new(&user_scope(id), self.ttl_user).labelled("users", operation).absent_guard(&list_scope())
    }

    /// The entry of a page of the list.
    pub fn page_entry(&self, query: &PageQuery) -> Entry {
        let entry = Entry::new(&list_scope(), self.ttl_list).labelled("users", "list");
        match query.canonical().as_str() {
            "" => entry,
            query => entry.query(query),
        }
    }
}

/// What a change of one user touches.
pub fn change_of(id: i64) -> Write {
    let scopes = vec![user_scope(id), list_scope()];
    Write { mark: scopes.clone(), bump: scopes }
}

/// What the creation of users touches. Nobody can have cached them, but anybody may have cached that they are not there.
pub fn creation_of(ids: &[i64]) -> Write {
    let bump = std::iter::once(list_scope()).chain(ids.iter().copied().map(user_scope)).collect();
    Write { mark: vec![list_scope()], bump }
}

fn user_scope(id: i64) -> Scope {
    Scope::item("user", id)
}

fn list_scope() -> Scope {
    Scope::list("users")
}

fn ttl(variable: Variable) -> Result<u64, VariableError> {
    variable.parsed("a whole number of seconds from 1 to 31536000", |s| (1..=TTL_MAX_S).contains(s))
}

fn write_policy(variable: Variable) -> Result<WritePolicy, VariableError> {
    const EXPECTED: &str = "available or consistent";
    let is_consistent = variable
        .parsed::<String>(EXPECTED, |policy| policy == "available" || policy == "consistent")
        .map(|policy| policy == "consistent")?;
    Ok(if is_consistent { WritePolicy::Consistent } else { WritePolicy::Available })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_spelled_out() {
        let policy = |value: &str| write_policy(Variable::new("cache_write_policy", value)).ok();
        assert_eq!(policy("available"), Some(WritePolicy::Available));
        assert_eq!(policy("consistent"), Some(WritePolicy::Consistent));
        assert_eq!(policy("Consistent"), None);
    }

    #[test]
    fn ttls_are_bounded() {
        let seconds = |value: &str| ttl(Variable::new("cache_ttl_user", value)).ok();
        assert_eq!(seconds("1"), Some(1));
        assert_eq!(seconds("31536000"), Some(TTL_MAX_S));
        for bad in ["0", "31536001", "-1", "5m", ""] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
