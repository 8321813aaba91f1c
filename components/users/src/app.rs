//! What the requests of one instance share: the cache of users and the table.

use http_api::Problem;
use spin_adapter::postgres::Database;
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{SpinRedis, SpinRuntime};
use versioned_cache::{Cache, Kind, Repository, Settings, Ttl, WriteError, WritePolicy};

use crate::input::NewUser;
use crate::problems;
use crate::store::{Store, StoreError};
use crate::user::User;

/// A year: longer TTLs are probably mistakes.
const TTL_MAX_S: u64 = 365 * 24 * 60 * 60;

/// The state of the component.
pub struct App {
    /// Users, through the cache.
    pub users: Repository<SpinRedis, SpinRuntime>,
    /// Users in the database.
    pub store: Store,
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
        let kind = Kind {
            item: "user",
            list: "users",
            item_ttl: Ttl { found_s: ttl(user)?, absent_s },
            list_ttl: Ttl { found_s: ttl(list)?, absent_s },
        };
        let settings = Settings {
            enabled: enabled.parsed("true or false", |_| true)?,
            timeout_ms: timeout.milliseconds()?,
            write_policy: write_policy(policy)?,
            ..Settings::default()
        };
        let redis = SpinRedis::new(redis.text("the address of a Redis server")?);
        let database = Database::new(&database.text("the address of a PostgreSQL database")?);
        Ok(Self { users: Repository::new(Cache::new(redis, SpinRuntime, settings), kind), store: Store::new(database) })
    }

    /// Creates all of `new`, or none. Draws their ids first, because the cache must know before the INSERT which users
    /// it creates.
    ///
    /// # Errors
    /// Outer: the ids could not be drawn. Inner: the INSERT failed.
    pub async fn create(&self, new: &[NewUser]) -> Result<Result<Vec<User>, WriteError<StoreError>>, Problem> {
        let ids = self.store.draw_ids(new.len()).await.map_err(problems::database)?;
        Ok(self.users.create(&ids, async || self.store.insert(&ids, new).await).await)
    }
}

fn ttl(variable: Variable) -> Result<u64, VariableError> {
    variable.parsed("a whole number of seconds from 0 (not cached) to 31536000", |&s| s <= TTL_MAX_S)
}

fn write_policy(variable: Variable) -> Result<WritePolicy, VariableError> {
    let policy: String = variable
        .parsed("available or consistent", |policy: &String| ["available", "consistent"].contains(&policy.as_str()))?;
    Ok(if policy == "consistent" { WritePolicy::Consistent } else { WritePolicy::Available })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_written_in_full() {
        let policy = |value: &str| write_policy(Variable::new("cache_write_policy", value)).ok();
        assert_eq!(policy("available"), Some(WritePolicy::Available));
        assert_eq!(policy("consistent"), Some(WritePolicy::Consistent));
        assert_eq!(policy("Consistent"), None);
    }

    #[test]
    fn ttls_are_bounded() {
        let seconds = |value: &str| ttl(Variable::new("cache_ttl_users_list", value)).ok();
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("31536000"), Some(TTL_MAX_S));
        for bad in ["31536001", "-1", "5m", ""] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
