//! What the requests of one instance share: the cache, the origin behind it, memory, and the default TTL.

use std::rc::Rc;

use http_api::{Problem, Tokens};
use spin_adapter::cache::{self, verify_ratio};
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{Events, Service, SpinRedis, SpinRuntime};
use versioned_cache::{Cache, ReadResult, Settings, User};

use crate::budget::{self, Budget, Reservation};
use crate::cache_events;
use crate::described::Described;
use crate::key::Key;
use crate::kv::{self, KV_MODULE, KV_OPERATION};
use crate::origin::{Origin, OriginError};
use crate::problems;
use crate::target::Target;
use crate::ttl::{Seconds, TTL_MAX_S};
use crate::ttls::Ttls;
use crate::warming::WarmKeys;

/// How much longer than the origin's deadline a request waits for the fetch of another request: the time to store the
/// value. If Redis takes longer, another request may fetch the value again.
const STORE_MS: u64 = 200;
/// How long a request waits for memory.
const MEMORY_WAIT_MS: u64 = 2_000;
/// How long a request that searches all keys of Redis waits while another one does.
const SCAN_WAIT_MS: u64 = 2_000;

/// The state of the component.
pub struct App {
    /// Who may use which routes.
    pub tokens: Tokens,
    /// The cache.
    pub cache: Rc<Cache<SpinRedis, SpinRuntime>>,
    /// The same cache over a separate connection with a longer deadline, for large replies. Other requests do not wait
    /// behind a large reply, and a slow large reply does not open their circuit breaker.
    pub bulk_cache: Rc<Cache<SpinRedis, SpinRuntime>>,
    /// Publishes what has changed.
    pub events: Events,
    /// Memory of the keys that are being warmed.
    pub warm_memory: Budget,
    /// Memory of requests for many keys.
    memory: Budget,
    /// Requests that search all keys of Redis do so one at a time.
    scans: Budget,
    /// The TTLs of described entries.
    ttls: Ttls,
    /// The keys that are filled when an instance starts.
    pub warm_keys: WarmKeys,
    /// Shared with checks of hits, which run after the response.
    origin: Rc<Origin>,
    /// 0: a value is cached only if the request has a TTL.
    default_ttl_s: Seconds,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables(service: &Service) -> Result<Self, VariableError> {
        let [timeout, api, admin, origin, origin_timeout, ttl, ttls, warm, verify, verify_origin] = variables::read([
            "cache_timeout_ms",
            "api_token",
            "admin_token",
            "cache_origin_url",
            "cache_origin_timeout_ms",
            "cache_ttl_kv_get",
            "cache_ttls",
            "cache_warm_keys",
            "cache_verify_ratio",
            "cache_verify_origin",
        ])
        .await?;
        let origin_timeout_ms = origin_timeout.milliseconds()?;
        let origin = Origin::from_variable(origin, origin_timeout_ms)?;
        let verify_ratio = verify_ratio(verify)?;
        let verify_origin = verify_origin.parsed("true or false", |_| true)? && origin.is_server();
        let defaults = Settings::default();
        let settings = Settings {
            timeout_ms: timeout.milliseconds()?,
            // Otherwise all requests that wait for a slow origin would ask it again.
            lease_ms: defaults.lease_ms.max(origin_timeout_ms + STORE_MS),
            fill_wait_ms: defaults.fill_wait_ms.max(origin_timeout_ms + STORE_MS),
            verify_ratio: if verify_origin { verify_ratio } else { 0.0 },
            ..defaults
        };
        let settings = cache::with_source_settings(settings).await?;
        // One reply may take as long as all attempts of other requests together.
        let bulk_settings = Settings { timeout_ms: settings.timeout_ms.max(settings.patience_ms), ..settings };
        let cache = |redis, settings| Cache::with_counters(redis, SpinRuntime, settings, Rc::clone(&service.counters));
        let tokens = variables::tokens(api, admin)?;
        service.identify_by_tokens(&tokens);
        Ok(Self {
            tokens,
            cache: cache(service.redis.clone(), settings),
            bulk_cache: cache(service.redis.separate(), bulk_settings),
            events: service.events.clone(),
            warm_memory: Budget::of_memory(budget::WARM_BYTES),
            memory: Budget::of_memory(budget::MANY_KEYS_BYTES),
            scans: Budget::of_one_turn(),
            ttls: Ttls::new(ttls.parsed("a list such as `posts.list=60, posts.*=300, *.create=0`", |_| true)?),
            warm_keys: warm.parsed("up to 1000 keys of the cache, separated by commas", |_| true)?,
            origin: Rc::new(origin),
            default_ttl_s: default_ttl(ttl)?,
        })
    }

    /// The TTL of a new value: the requested one, or else the default; `None` if there is no default.
    pub fn ttl(&self, requested: Option<Seconds>) -> Option<Seconds> {
        requested.or(Some(self.default_ttl_s)).filter(|seconds| *seconds > 0)
    }

    /// The value of a key from the cache, or else from the origin. A value from the origin is stored with the requested
    /// TTL, or else with the default TTL.
    ///
    /// # Errors
    /// Those of the origin. If Redis fails, the value comes from the origin.
    pub async fn get_or_fetch(&self, key: &Key, requested: Option<Seconds>) -> Result<ReadResult, OriginError> {
        let entry = kv::entry_with_ttl(key, requested.unwrap_or(self.default_ttl_s));
        let (origin, key) = (Rc::clone(&self.origin), key.clone());
        self.cache.get_or_set_verified(&entry, async move || origin.fetch(&key).await).await
    }

    /// The TTL of a described entry: the requested one, or else the configured one; 0: it is not stored.
    ///
    /// # Errors
    /// The variable of the operation is not a TTL.
    pub async fn described_ttl(&self, entry: &Described, requested: Option<Seconds>) -> Result<Seconds, Problem> {
        match requested {
            Some(requested) => Ok(requested),
            None => self.ttls.of(entry).await,
        }
    }

    /// Whether described entries that are missing are fetched from the origin.
    pub fn has_origin(&self) -> bool {
        self.origin.is_server()
    }

    /// The value of a described entry from the cache, or else from the origin.
    ///
    /// # Errors
    /// As [`Self::get_or_fetch`].
    pub async fn get_or_fetch_described(&self, entry: &Described, ttl_s: Seconds) -> Result<ReadResult, OriginError> {
        let (origin, fetched) = (Rc::clone(&self.origin), entry.clone());
        self.cache.get_or_set_verified(&entry.entry(ttl_s), async move || origin.fetch_described(&fetched).await).await
    }

    /// Invalidates entries, and returns how many were removed.
    ///
    /// # Errors
    /// Redis is unavailable, or others kept searching its keys.
    pub async fn invalidate(&self, target: &Target) -> Result<u64, Problem> {
        let _turn = match target {
            Target::Pattern(_) | Target::All => {
                Some(self.scans.reserve(1, SCAN_WAIT_MS).await.ok_or_else(problems::no_turn)?)
            }
            _ => None,
        };
        let removed = match target {
            Target::Key(key) => self.cache.delete(&kv::entry(key)).await.map(u64::from),
            Target::Pattern(pattern) => self.cache.invalidate_matching(KV_MODULE, KV_OPERATION, pattern).await,
            Target::Module(module) => self.cache.invalidate_module(module).await,
            Target::Operation(module, operation) => self.cache.invalidate_operation(module, operation).await,
            Target::User(user) => self.cache.invalidate_user(User::new(user)).await,
            Target::All => self.cache.clear().await,
        };
        let removed = removed.map_err(problems::redis_change)?;
        // Invalidating a key that has no value changes nothing. All other invalidations change a version, even if no
        // entry was removed.
        if removed > 0 || !matches!(target, Target::Key(_)) {
            self.events.emit(cache_events::invalidated(target));
        }
        Ok(removed)
    }

    /// Reserves memory for a request of many keys, and waits up to two seconds for it.
    ///
    /// # Errors
    /// There was not enough free memory in time.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, Problem> {
        self.memory.reserve(bytes, MEMORY_WAIT_MS).await.ok_or_else(problems::no_memory)
    }
}

fn default_ttl(variable: Variable) -> Result<Seconds, VariableError> {
    variable.parsed("a whole number of seconds from 0 to 2592000", |seconds| *seconds <= TTL_MAX_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ttl_is_bounded() {
        let ttl = |value: &str| default_ttl(Variable::new("cache_ttl_kv_get", value)).ok();
        assert_eq!((ttl("0"), ttl("2592000")), (Some(0), Some(TTL_MAX_S)));
        for bad in ["", "-1", "2592001", "1.5", "5m"] {
            assert_eq!(ttl(bad), None, "{bad}");
        }
    }
}
