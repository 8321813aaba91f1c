//! What the requests of one instance share: the locks, and who may use them.

use std::rc::Rc;

use spin_adapter::http::bearer::Tokens;
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{SpinRedis, SpinRuntime};
use token_lock::{Locks, Settings};

const TIMEOUT_MAX_MS: u64 = 10_000;

/// The component at work.
pub struct App {
    /// The lock protocol, on one server or on several.
    pub locks: Rc<Locks<SpinRedis, SpinRuntime>>,
    /// Whom the routes are open to.
    pub tokens: Tokens,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables() -> Result<Self, VariableError> {
        let [redis, servers, timeout, api_token, admin_token] =
            variables::read(["redis_url", "lock_redis_urls", "lock_timeout_ms", "api_token", "admin_token"]).await?;
        let settings = Settings {
            timeout_ms: timeout
                .parsed("a whole number of milliseconds from 1 to 10000", |ms| (1..=TIMEOUT_MAX_MS).contains(ms))?,
            ..Settings::default()
        };
        let servers = addresses(redis, servers)?.into_iter().map(SpinRedis::new).collect();
        Ok(Self { locks: Locks::new(servers, SpinRuntime, settings), tokens: Tokens::new(api_token, admin_token)? })
    }
}

/// The servers that keep the locks: those of `own` (a list with commas), or if it is empty the one that keeps the cache.
fn addresses(caches: Variable, own: Variable) -> Result<Vec<String>, VariableError> {
    const EXPECTED: &str = "empty, or the addresses of one Redis server or of an odd number of different ones, \
                            separated by commas";
    let list: String = own.parsed(EXPECTED, |list: &String| list.is_empty() || are_servers(&split(list)))?;
    if list.is_empty() {
        return Ok(vec![caches.text("the address of a Redis server")?]);
    }
    Ok(split(&list))
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|address| address.trim().to_owned()).collect()
}

/// The same server twice would have two votes; an even number bears no more failures than one less.
fn are_servers(addresses: &[String]) -> bool {
    let is_redis = |address: &String| address.starts_with("redis://") || address.starts_with("rediss://");
    let is_new = |(at, address): (usize, &String)| !addresses[..at].contains(address);
    addresses.len() % 2 == 1 && addresses.iter().all(is_redis) && addresses.iter().enumerate().all(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(list: &str) -> Option<Vec<String>> {
        addresses(Variable::new("redis_url", "redis://one"), Variable::new("lock_redis_urls", list)).ok()
    }

    #[test]
    fn locks_are_on_the_caches_server_unless_there_are_others() {
        assert_eq!(servers(""), Some(vec!["redis://one".to_owned()]));
        let three = ["redis://a:1", "rediss://b:1", "redis://c:1"].map(str::to_owned).to_vec();
        assert_eq!(servers("redis://a:1,rediss://b:1, redis://c:1"), Some(three));
    }

    #[test]
    fn servers_of_their_own_are_one_or_an_odd_number_of_different_ones() {
        assert_eq!(servers("redis://a"), Some(vec!["redis://a".to_owned()]));
        for bad in ["redis://a,redis://b", "redis://a,redis://b,redis://a", "redis://a,redis://b,", ",,", "a", "a,b,c"]
        {
            assert_eq!(servers(bad), None, "{bad}");
        }
    }
}
