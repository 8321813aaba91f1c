//! What clients are told when a request fails. Texts of Redis and addresses go to the log only.

use ports::RedisError;
use problem::{FieldError, Kind, Problem};
use spin_adapter::http::Failure;

use crate::origin::OriginError;

/// Redis gave no usable answer, and this request cannot do without.
pub fn redis(error: RedisError) -> Failure {
    eprintln!("{error}");
    Problem::new(Kind::Unavailable, "The cache is out of reach for now.").into()
}

/// The same for a request that changes something.
pub fn redis_change(error: RedisError) -> Failure {
    eprintln!("{error}");
    let detail = "The cache gave no answer in time: what was asked for may or may not have taken effect, or may yet.";
    Problem::new(Kind::Unavailable, detail).into()
}

/// The values that were asked for have more than so many bytes together.
pub fn too_large(limit: usize) -> Failure {
    let detail =
        format!("The values have more than {} MiB together: ask for fewer keys at once.", limit / (1024 * 1024));
    Problem::new(Kind::ContentTooLarge, detail).with_extension("limitBytes", limit).into()
}

/// Other requests of this instance have taken all memory that there is for large ones.
pub fn no_memory() -> Failure {
    let detail = "There is no memory for a request of this size for now: try again, or with fewer keys at once.";
    Problem::new(Kind::Unavailable, detail).into()
}

/// The origin gave no value.
pub fn origin(error: OriginError) -> Failure {
    match error {
        OriginError::TimedOut => Problem::new(Kind::GatewayTimeout, "The origin did not answer in time.").into(),
        OriginError::Unreachable => {
            Problem::new(Kind::BadGateway, "The origin is out of reach, or broke off its answer.").into()
        }
        OriginError::Unusable(why) => Problem::new(Kind::BadGateway, format!("The origin {why}.")).into(),
    }
}

/// There is nothing under this key, here or at the origin.
pub fn no_such_value() -> Failure {
    Problem::new(Kind::NotFound, "There is no value under this key.").into()
}

const TTL_NEEDED: &str = "is needed: the service is set to have no default";

/// The query string says no TTL while `cache_ttl_kv_get` is 0.
pub fn ttl_parameter_needed() -> Failure {
    Problem::parameters(vec![FieldError::field("ttl", TTL_NEEDED)]).into()
}

/// The body says no TTL while `cache_ttl_kv_get` is 0.
pub fn ttl_member_needed() -> Failure {
    Problem::validation(vec![FieldError::at("/ttl", TTL_NEEDED)]).into()
}
