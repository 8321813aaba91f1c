//! What the requests of one instance share: the sellers, the client of the users service, and who may do what.

use std::rc::Rc;

use http_api::response::cache_status;
use http_api::{JwtVerifier, Problem};
use spin_adapter::cache::{self, ttl};
use spin_adapter::postgres::{Database, DatabaseError};
use spin_adapter::variables::{self, VariableError};
use spin_adapter::{Events, Service, SpinRuntime, UsersAccess};
use versioned_cache::{Cache, Ttl};

use crate::problems;
use crate::seller::View;
use crate::sellers::{FoundId, Sellers};
use crate::store::Store;
use crate::user_service::UserService;

/// The state of the component.
pub struct App {
    /// Sellers, through the cache.
    pub sellers: Sellers,
    /// The users service.
    pub users: UserService,
    /// Verifies the tokens of clients.
    pub verifier: JwtVerifier,
    /// Publishes what has changed.
    pub events: Events,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables(service: &Service) -> Result<Self, VariableError> {
        let [database, enabled, timeout, policy, verify, found, absent] = variables::read([
            "database_url",
            "cache_enabled",
            "cache_timeout_ms",
            "cache_write_policy",
            "cache_verify_ratio",
            "cache_ttl_seller",
            "cache_ttl_absent",
        ])
        .await?;
        let [users_url, users_timeout, users_access, users_token, api_token] = variables::read([
            "user_service_url",
            "user_service_timeout_ms",
            "users_access",
            "user_service_token",
            "api_token",
        ])
        .await?;
        let [secret, public_key, issuer, audience] =
            variables::read(["jwt_secret", "jwt_public_key", "jwt_issuer", "jwt_audience"]).await?;
        let database = Database::new(&database.text("the address of a PostgreSQL database")?);
        let settings = cache::settings(enabled, timeout, policy, verify).await?;
        let counters = Rc::clone(&service.counters);
        let cache = Cache::with_counters(service.redis.clone(), SpinRuntime, settings, counters);
        let ttl = Ttl { found_s: ttl(found)?, absent_s: ttl(absent)? };
        let verifier = variables::jwt_verifier(secret, public_key, issuer, audience)?;
        service.identify_by_jwt(&verifier);
        let (timeout_ms, access) = (users_timeout.milliseconds()?, UsersAccess::of(users_access)?);
        let users = UserService::from_variables(users_url, timeout_ms, access, users_token, api_token)?;
        Ok(Self {
            sellers: Sellers::new(cache, ttl, Store::new(database)),
            users,
            verifier,
            events: service.events.clone(),
        })
    }

    /// The user of a seller.
    ///
    /// # Errors
    /// There is no such seller, or the database is unavailable.
    pub async fn owner(&self, id: i64) -> Result<i64, Problem> {
        match self.sellers.owner(id).await.map_err(DatabaseError::into_problem)? {
            FoundId::Found(owner) => Ok(owner),
            FoundId::Absent(status) => Err(problems::no_such_seller(id).with_header(cache_status(status))),
        }
    }

    /// The user of a seller, if `check` accepts this user.
    ///
    /// # Errors
    /// As [`App::owner`]; that of `check`.
    pub async fn checked_owner(&self, id: i64, check: impl FnOnce(i64) -> Result<(), Problem>) -> Result<i64, Problem> {
        let owner = self.owner(id).await?;
        let Err(refused) = check(owner) else { return Ok(owner) };
        // The owner may come from memory although the seller was archived. Then the response is 404, not 403.
        let found = self.sellers.find(id, owner, View::Public).await.map_err(DatabaseError::into_problem)?;
        Err(if found.value.is_some() { refused } else { problems::no_such_seller(id) })
    }
}
