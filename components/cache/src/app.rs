//! What the requests of one instance share: the cache, the origin behind it, and how long entries live.

use std::rc::Rc;

use serde_json::value::RawValue;
use spin_adapter::http::bearer::Tokens;
use spin_adapter::variables::{self, Variable, VariableError};
use spin_adapter::{SpinRedis, SpinRuntime};
use versioned_cache::{Cache, Entry, ReadResult, Settings};

use crate::key::Key;
use crate::memory::{self, Memory};
use crate::origin::{Origin, OriginError};
use crate::ttl::{self, Seconds};

/// The module and the operation that the keys of this API belong to.
pub const KEYED: (&str, &str) = ("kv", "get");

const CACHE_TIMEOUT_MAX_MS: u64 = 10_000;
const ORIGIN_TIMEOUT_MAX_MS: u64 = 10_000;
/// How much longer than the origin may take others wait for whoever asks it: time to store the answer. Should Redis be so
/// slow that it takes longer, somebody else may ask the origin as well.
const STORE_MS: u64 = 200;

/// The component at work.
pub struct App {
    /// Whom the routes are open to.
    pub tokens: Tokens,
    /// Everything that is cached.
    pub cache: Rc<Cache<SpinRedis, SpinRuntime>>,
    /// The same, over a connection of its own, for what takes long: nobody else waits behind a large answer, or takes
    /// Redis for dead because of one.
    pub large: Rc<Cache<SpinRedis, SpinRuntime>>,
    /// Shared by requests of many keys.
    pub memory: Memory,
    /// Shared by keys that are being warmed.
    pub warming: Memory,
    origin: Origin,
    /// 0: nothing is cached unless the request says for how long.
    ttl_s: Seconds,
}

impl App {
    /// Builds it from the component's variables.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub async fn from_variables() -> Result<Self, VariableError> {
        let [redis, timeout, api, admin, origin, origin_timeout, ttl] = variables::read([
            "redis_url",
            "cache_timeout_ms",
            "api_token",
            "admin_token",
            "cache_origin_url",
            "cache_origin_timeout_ms",
            "cache_ttl_kv_get",
        ])
        .await?;
        let origin_timeout_ms = milliseconds(origin_timeout, ORIGIN_TIMEOUT_MAX_MS)?;
        let defaults = Settings::default();
        let settings = Settings {
            timeout_ms: milliseconds(timeout, CACHE_TIMEOUT_MAX_MS)?,
            // Otherwise a slow origin would be asked again by everybody who waits for its first answer.
            lease_ms: defaults.lease_ms.max(origin_timeout_ms + STORE_MS),
            fill_wait_ms: defaults.fill_wait_ms.max(origin_timeout_ms + STORE_MS),
            ..defaults
        };
        // All the time that a request has when Redis is silent.
        let large = Settings { timeout_ms: settings.timeout_ms.max(settings.patience_ms), ..settings };
        let redis = redis.text("the address of a Redis server")?;
        Ok(Self {
            tokens: Tokens::new(api, admin)?,
            cache: Cache::new(SpinRedis::new(redis.clone()), SpinRuntime, settings),
            large: Cache::new(SpinRedis::new(redis), SpinRuntime, large),
            memory: Memory::of(memory::MANY_KEYS),
            warming: Memory::of(memory::WARMING),
            origin: Origin::from_variable(origin, origin_timeout_ms)?,
            ttl_s: default_ttl(ttl)?,
        })
    }

    /// How long what is written now is to live: as `asked`, or else by default; `None` if there is no default.
    pub fn ttl(&self, asked: Option<Seconds>) -> Option<Seconds> {
        asked.or(Some(self.ttl_s)).filter(|seconds| *seconds > 0)
    }

    /// The entry of a key, to be written with this TTL.
    pub fn entry(&self, key: &Key, ttl_s: Seconds) -> Entry {
        Entry::named(KEYED.0, KEYED.1, key.as_str(), ttl::of(ttl_s)).checked_by(is_json)
    }

    /// The entry of a key, to be read or removed: its TTL does not matter.
    pub fn any_entry(&self, key: &Key) -> Entry {
        self.entry(key, ttl::MAX_S)
    }

    /// The value of a key from the cache, or else from the origin; then it is stored for as long as `asked`, or else by
    /// default.
    ///
    /// # Errors
    /// Those of the origin. Redis never fails it.
    pub async fn get_or_fetch(&self, key: &Key, asked: Option<Seconds>) -> Result<ReadResult, OriginError> {
        let entry = self.entry(key, asked.unwrap_or(self.ttl_s));
        self.cache.get_or_set(&entry, async || self.origin.fetch(key).await).await
    }
}

/// Whether a value is one that this component could have stored.
fn is_json(value: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(value).is_ok()
}

fn milliseconds(variable: Variable, max: u64) -> Result<u64, VariableError> {
    variable.parsed("a whole number of milliseconds from 1 to 10000", |ms| (1..=max).contains(ms))
}

fn default_ttl(variable: Variable) -> Result<Seconds, VariableError> {
    variable.parsed("a whole number of seconds from 0 to 2592000", |s| *s <= ttl::MAX_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_bounded() {
        let ttl = |value: &str| default_ttl(Variable::new("cache_ttl_kv_get", value)).ok();
        assert_eq!((ttl("0"), ttl("2592000")), (Some(0), Some(ttl::MAX_S)));
        for bad in ["", "-1", "2592001", "1.5", "5m"] {
            assert_eq!(ttl(bad), None, "{bad}");
        }
        let ms = |value: &str| milliseconds(Variable::new("cache_timeout_ms", value), 10_000).ok();
        assert_eq!((ms("1"), ms("10000")), (Some(1), Some(10_000)));
        assert_eq!((ms("0"), ms("10001")), (None, None));
    }

    #[test]
    fn only_json_counts_as_a_value() {
        for good in ["null", "1e400", "[1.10]", " {}", r#""\ud800""#] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in [&b""[..], b"hello", b"{", b"\"\xff\"", b"1 2"] {
            assert!(!is_json(bad), "{bad:?}");
        }
    }
}
