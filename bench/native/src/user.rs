//! `GET /users/:id` of a cached user.

use std::num::ParseIntError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName};
use axum::response::{IntoResponse, Response};
use redis::aio::MultiplexedConnection;

/// The generations that an entry of a user depends on.
const GENERATIONS: [&str; 2] = ["cache:generation:users", "cache:generation:users:getById"];

/// What all requests share.
#[derive(Clone)]
pub struct Users {
    redis: MultiplexedConnection,
    hint: Arc<Hint>,
}

/// What the program knows of the entry.
struct Hint {
    /// As they are in the key of the entry.
    versions: String,
    /// The user's own version: the first part of `versions`.
    own: i64,
    ends: Instant,
}

impl Users {
    /// `versions` are those in the key of the entry, `ttl_s` is for how many seconds it still lives.
    ///
    /// # Errors
    /// If `versions` do not begin with a number.
    pub fn new(redis: MultiplexedConnection, versions: String, ttl_s: u64) -> Result<Self, ParseIntError> {
        let own = versions.split(':').next().unwrap_or_default().parse()?;
        let hint = Hint { versions, own, ends: Instant::now() + Duration::from_secs(ttl_s) };
        Ok(Self { redis, hint: Arc::new(hint) })
    }
}

/// Returns the user: one MGET of the versions and of the entry, as the component sends it. 503 if the entry is not
/// there, or not the current one.
pub async fn show(State(users): State<Users>, Path(id): Path<i64>) -> Response {
    let Users { mut redis, hint } = users;
    let key = format!("user:cache:{id}-v{}", hint.versions);
    let mut mget = redis::cmd("MGET");
    mget.arg(format!("user:version:{id}")).arg(&GENERATIONS).arg(&key);
    type Replies = (Option<i64>, Option<i64>, Option<i64>, Option<Vec<u8>>);
    match mget.query_async::<Replies>(&mut redis).await {
        Ok((Some(own), Some(_), Some(_), Some(json))) if own == hint.own => found(json, &key, hint.ends),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "the user is not cached").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// The response with the fields of the component's.
fn found(json: Vec<u8>, key: &str, ends: Instant) -> Response {
    let ttl_s = ends.saturating_duration_since(Instant::now()).as_secs();
    let fields = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (ETAG, format!("\"{}\"", version(&json))),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (HeaderName::from_static("cache-status"), format!("tumbler; hit; ttl={ttl_s}; key=\"{key}\"")),
        // A new trace (W3C Trace Context): the load generator sends none that could be continued.
        (
            HeaderName::from_static("traceparent"),
            format!("00-{:032x}-{:016x}-00", fastrand::u128(1..), fastrand::u64(1..)),
        ),
    ];
    (fields, json).into_response()
}

/// The last member of a user's JSON; empty if it is no number.
fn version(json: &[u8]) -> &str {
    let text = std::str::from_utf8(json).unwrap_or_default();
    let digits = text.trim_end_matches('}').rsplit(':').next().unwrap_or_default();
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits } else { "" }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_the_last_member() {
        assert_eq!(version(br#"{"id":1,"version":17}"#), "17");
        assert_eq!(version(br#"{"id":1,"name":"Ada"}"#), "");
        assert_eq!(version(b""), "");
    }
}
