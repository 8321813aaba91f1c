//! What the requests of one instance share: the locks, and the tokens of clients.

use std::rc::Rc;

use counters::Counter;
use http_api::Tokens;
use spin_adapter::observe::METRICS;
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{Counters, Events, Service, SpinRedis, SpinRuntime};
use token_lock::{Locks, Settings};

/// The state of the component.
pub struct App {
    /// The locks, on one Redis server or on several.
    pub locks: Rc<Locks<SpinRedis, SpinRuntime>>,
    /// The tokens that the routes accept.
    pub tokens: Tokens,
    /// Publishes what has changed.
    pub events: Events,
    counters: Rc<Counters>,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables(service: &Service) -> Result<Self, VariableError> {
        let [servers, timeout, api_token, admin_token] =
            variables::read(["lock_redis_urls", "lock_timeout_ms", "api_token", "admin_token"]).await?;
        let settings = Settings { timeout_ms: timeout.milliseconds()?, ..Settings::default() };
        let servers = match addresses(servers)? {
            own if own.is_empty() => vec![service.redis.clone()],
            own => own.into_iter().map(SpinRedis::new).collect(),
        };
        let tokens = variables::tokens(api_token, admin_token)?;
        if let Some(limits) = &service.rate_limits {
            limits.know_tokens(&tokens);
        }
        let counters = Rc::clone(&service.counters);
        Ok(Self { locks: Locks::new(servers, SpinRuntime, settings), tokens, events: service.events.clone(), counters })
    }

    /// Counts what happened to locks: `acquired`, `contended`, `released`, `lost` or `broken`.
    pub fn count(&self, event: &'static str, locks: usize) {
        self.counters.count(Counter::new(METRICS, ["lock", event]), i64::try_from(locks).unwrap_or(i64::MAX));
    }
}

/// The addresses of the servers that are only for locks. If there are none, locks are on the server of the cache.
fn addresses(lock_servers: Variable) -> Result<Vec<String>, VariableError> {
    const EXPECTED: &str = "empty, or the addresses of one Redis server or of an odd number of different ones, \
                            separated by commas";
    let list: String = lock_servers.parsed(EXPECTED, |list: &String| list.is_empty() || is_valid(&split(list)))?;
    Ok(if list.is_empty() { Vec::new() } else { split(&list) })
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|address| address.trim().to_owned()).collect()
}

/// A server that is listed twice would have two votes. An even number is refused because it does not help: four servers
/// tolerate one failure, as three do.
fn is_valid(addresses: &[String]) -> bool {
    let is_redis = |address: &String| address.starts_with("redis://") || address.starts_with("rediss://");
    let is_new = |(at, address): (usize, &String)| !addresses[..at].contains(address);
    addresses.len() % 2 == 1 && addresses.iter().all(is_redis) && addresses.iter().enumerate().all(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(list: &str) -> Option<Vec<String>> {
        addresses(Variable::new("lock_redis_urls", list)).ok()
    }

    #[test]
    fn locks_use_the_server_of_the_cache_by_default() {
        assert_eq!(servers(""), Some(Vec::new()));
        let three = ["redis://a:1", "rediss://b:1", "redis://c:1"].map(str::to_owned).to_vec();
        assert_eq!(servers("redis://a:1,rediss://b:1, redis://c:1"), Some(three));
    }

    #[test]
    fn lock_servers_are_one_or_an_odd_number_of_different_ones() {
        assert_eq!(servers("redis://a"), Some(vec!["redis://a".to_owned()]));
        for bad in ["redis://a,redis://b", "redis://a,redis://b,redis://a", "redis://a,redis://b,", ",,", "a", "a,b,c"]
        {
            assert_eq!(servers(bad), None, "{bad}");
        }
    }
}
