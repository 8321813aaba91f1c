//! Writes the log line of a request, and counts the request, when its response is ready.
//!
//! The fields of the hash `metrics`, which the component `ops` shows:
//!
//! | field | counts |
//! |---|---|
//! | `http:users:GET:/users/{id}:2xx:0.005` | responses of this component, method, route and class of status codes that took at most so many seconds, and longer than the bucket before |
//! | `http_us:users:/users/{id}` | the durations of the requests of this component and route, in microseconds |
//! | `lock:acquired`, `lock:contended`, `lock:released`, `lock:lost`, `lock:broken` | what happened to locks (the component `locks`) |
//! | `rate_limited:users.write` | requests of this class that were refused |
//! | `rate_limit_bypassed` | requests that passed because Redis could not count them |
//! | `events_failed` | events that could not be published |

use axum::http::Method;
use axum::response::Response;
use counters::Counter;
use telemetry::{Request, Summary};

use crate::counting::METRICS;
use crate::log;
use crate::service::Service;

/// The upper bounds of the buckets of durations: in microseconds, and the same in seconds as the text in a field.
pub const BUCKETS: [(u64, &str); 14] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (u64::MAX, "+Inf"),
];

/// Counts a request and writes its line.
pub(crate) fn record(
    service: &Service,
    request: &Request,
    method: &'static str,
    response: &Response,
    duration_us: u64,
) {
    let status = response.status().as_u16();
    request.log(&Summary { method, status, duration_us, cache: cache_of(response) });
    log::flush_soon();
    let (component, route) = (service.component, request.route());
    let counter = Counter::new(METRICS, ["http", component, method, route, class_of(status), bucket_of(duration_us)]);
    service.counters.count(counter, 1);
    let sum = Counter::new(METRICS, ["http_us", component, route]);
    service.counters.count(sum, i64::try_from(duration_us).unwrap_or(i64::MAX));
}

/// The name of a method that some route has, or OPTIONS; `other` for the rest, because clients can make up methods.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class_of(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn bucket_of(duration_us: u64) -> &'static str {
    BUCKETS.iter().find(|(bound_us, _)| duration_us <= *bound_us).map_or("+Inf", |(_, name)| name)
}

/// How the response used the cache, as its `Cache-Status` says.
fn cache_of(response: &Response) -> Option<&str> {
    let status = response.headers().get("cache-status")?.to_str().ok()?;
    let first = status.split(';').nth(1)?.trim();
    Some(first.strip_prefix("fwd=").unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn durations_are_in_the_bucket_whose_bound_they_do_not_exceed() {
        for (us, bucket) in
            [(0, "0.001"), (1_000, "0.001"), (1_001, "0.0025"), (10_000_000, "10"), (10_000_001, "+Inf")]
        {
            assert_eq!(bucket_of(us), bucket, "{us} µs");
        }
        for (bound_us, name) in BUCKETS.iter().filter(|(bound_us, _)| *bound_us < u64::MAX) {
            assert_eq!(name.parse::<f64>().unwrap() * 1e6, *bound_us as f64, "{name}");
        }
    }

    #[test]
    fn the_use_of_the_cache_is_that_of_cache_status() {
        for (field, expected) in
            [("tumbler; hit; ttl=3", "hit"), ("tumbler; fwd=miss; stored", "miss"), ("tumbler; fwd=bypass", "bypass")]
        {
            let response = axum::http::Response::builder().header("cache-status", field).body(Body::empty()).unwrap();
            assert_eq!(cache_of(&response), Some(expected));
        }
        assert_eq!(cache_of(&Response::default()), None);
    }
}
