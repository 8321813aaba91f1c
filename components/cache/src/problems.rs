//! The problems of this service. Texts of Redis and addresses go to the log only.

use http_api::{FieldError, Kind, Problem};
use ports::RedisError;

use crate::origin::OriginError;

/// A read failed, and this request cannot do without Redis.
pub fn redis(error: RedisError) -> Problem {
    tracing::warn!(%error, "a request that needs Redis failed");
    Problem::new(Kind::Unavailable, "The cache is unavailable.")
}

/// A change failed.
pub fn redis_change(error: RedisError) -> Problem {
    tracing::warn!(%error, "a request that needs Redis failed");
    let detail = "The cache did not confirm the change: it may have taken effect, or may still take effect.";
    Problem::new(Kind::Unavailable, detail)
}

/// The requested values have more than `limit` bytes together.
pub fn too_large(limit: usize) -> Problem {
    let detail = format!("The values have more than {} MiB together: request fewer keys.", limit / (1024 * 1024));
    Problem::new(Kind::ContentTooLarge, detail).with_extension("limitBytes", limit)
}

/// The provider of the variables fails.
pub fn unreadable_variable(variable: &str, error: &str) -> Problem {
    tracing::warn!(variable, error, "a variable cannot be read");
    Problem::new(Kind::Unavailable, "The TTL of this operation cannot be read now: try again.")
}

/// Other requests of this instance use the memory for large requests.
pub fn no_memory() -> Problem {
    Problem::new(
        Kind::Unavailable,
        "The service has no memory for a request of this size now: try again, or send fewer keys.",
    )
}

/// The origin gave no value.
pub fn origin(error: OriginError) -> Problem {
    match error {
        OriginError::TimedOut => Problem::new(Kind::GatewayTimeout, "The origin did not answer in time."),
        OriginError::Unreachable => {
            Problem::new(Kind::BadGateway, "The origin is unreachable, or its response is incomplete.")
        }
        OriginError::Unusable(why) => Problem::new(Kind::BadGateway, format!("The response of the origin {why}.")),
    }
}

/// Another request of this instance searches all keys of Redis.
pub fn no_turn() -> Problem {
    Problem::new(Kind::Unavailable, "The service is still searching its keys for another invalidation: try again.")
}

/// Clients may not write entries of this module.
pub fn reserved(module: &str) -> Problem {
    Problem::new(Kind::Forbidden, format!("The module {module} belongs to this service: choose another name."))
}

/// There is no entry of this description, neither in the cache nor at the origin.
pub fn no_such_entry() -> Problem {
    Problem::new(Kind::NotFound, "There is no entry for this module, operation, user and these parameters.")
}

/// There is no value under this key, neither in the cache nor at the origin.
pub fn no_such_value() -> Problem {
    Problem::new(Kind::NotFound, "There is no value under this key.")
}

const TTL_NEEDED: &str = "is missing: the service has no default TTL";

/// The query string has no TTL, and `cache_ttl_kv_get` is 0.
pub fn missing_ttl_parameter() -> Problem {
    Problem::parameters(vec![FieldError::field("ttl", TTL_NEEDED)])
}

/// The body has no TTL, and `cache_ttl_kv_get` is 0.
pub fn missing_ttl_member() -> Problem {
    Problem::validation(vec![FieldError::at("/ttl", TTL_NEEDED)])
}
