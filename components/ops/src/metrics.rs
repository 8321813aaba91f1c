//! The metrics of all components: their names, and their values from the counters in Redis.

#[cfg(test)]
mod documented;
mod family;
mod http;

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};
use versioned_cache::{Counters, Stats};

use family::Family;

/// A metric of the cache: its name, what it counts, and its value.
type OfCache = (&'static str, &'static str, fn(&Counters) -> u64);

/// The metrics of the cache, by module and operation.
const CACHE: [OfCache; 11] = [
    ("tumbler_cache_hits_total", "Reads that found an entry.", |of| of.hits),
    ("tumbler_cache_misses_total", "Reads that found no entry.", |of| of.misses),
    ("tumbler_cache_fills_total", "Values that were fetched and stored.", |of| of.fills),
    ("tumbler_cache_bypasses_total", "Reads that did not use the cache, because Redis was unreachable.", |of| {
        of.bypasses
    }),
    ("tumbler_cache_collapsed_total", "Misses that shared the fetch of another request.", |of| of.collapsed),
    ("tumbler_cache_corrupt_total", "Entries that another program had written.", |of| of.corrupt),
    ("tumbler_cache_errors_total", "Values that could not be stored.", |of| of.errors),
    ("tumbler_cache_verified_total", "Hits that were compared with the source, and were right.", |of| of.verified),
    ("tumbler_cache_stale_total", "Hits that were compared with the source, and were stale.", |of| of.stale),
    ("tumbler_cache_graced_total", "Misses whose fetch failed or was slow: an entry in grace was returned.", |of| {
        of.graced
    }),
    ("tumbler_cache_refreshed_total", "Entries that were refreshed before their end.", |of| of.refreshed),
];

/// Counters without labels: their field in the hash, their name, and what they count.
const PLAIN: [(&str, &str, &str); 7] = [
    ("lock:acquired", "tumbler_lock_acquired_total", "Locks that were granted."),
    ("lock:contended", "tumbler_lock_contended_total", "Attempts that ended because another client held the lock."),
    ("lock:released", "tumbler_lock_released_total", "Locks that their holders released."),
    (
        "lock:lost",
        "tumbler_lock_lost_total",
        "Releases and extensions whose token did not hold the lock: work may have run without it.",
    ),
    ("lock:broken", "tumbler_lock_broken_total", "Held locks that an administrator broke."),
    (
        "rate_limit_bypassed",
        "tumbler_rate_limit_bypassed_total",
        "Requests that no rate limit was applied to, because Redis was unreachable.",
    ),
    ("events_failed", "tumbler_events_failed_total", "Events that could not be published."),
];

/// All metrics in the text format of Prometheus. `counters` are the fields of the hash `metrics`.
///
/// # Errors
/// A metric cannot be written: an error in this program.
pub fn text(counters: &[(String, u64)], cache: &Stats) -> Result<String, prometheus::Error> {
    let mut families = cache_families(cache);
    families.extend(PLAIN.iter().map(|(field, name, help)| {
        let value = counters.iter().find(|(known, _)| known == field).map_or(0, |(_, value)| *value);
        Family::counter(name, help).add([], value).into_proto()
    }));
    families.push(rate_limited(counters));
    families.extend(http::families(counters));
    // The encoder refuses a family without metrics.
    families.retain(|family| !family.get_metric().is_empty());
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

fn cache_families(cache: &Stats) -> Vec<MetricFamily> {
    let family = |(name, help, value): &OfCache| {
        let family = cache.0.iter().fold(Family::counter(name, help), |family, ((module, operation), counters)| {
            family.add([("module", module), ("operation", operation)], value(counters))
        });
        family.into_proto()
    };
    CACHE.iter().map(family).collect()
}

fn rate_limited(counters: &[(String, u64)]) -> MetricFamily {
    let family = Family::counter("tumbler_rate_limited_total", "Requests that a rate limit refused.");
    let classes = counters.iter().filter_map(|(field, value)| Some((field.strip_prefix("rate_limited:")?, *value)));
    classes.fold(family, |family, (class, value)| family.add([("class", class)], value)).into_proto()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_parse::{Scrape, Value};
    use std::collections::BTreeMap;

    #[test]
    fn all_counters_are_shown_with_their_labels() {
        let counters = [("lock:acquired", 3), ("rate_limited:users.write", 4), ("odd", 9)];
        let counters = counters.map(|(field, value)| (field.to_owned(), value));
        let of_operation = Counters { hits: 5, misses: 2, ..Counters::default() };
        let cache = Stats(BTreeMap::from([(("users".to_owned(), "getById".to_owned()), of_operation)]));
        let text = text(&counters, &cache).unwrap();
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        let value = |name: &str, labels: &[(&str, &str)]| {
            let is_it =
                |label: &(&str, &str), sample: &prometheus_parse::Sample| sample.labels.get(label.0) == Some(label.1);
            let mut samples = scrape.samples.iter().filter(|sample| sample.metric == name);
            let sample = samples.find(|sample| labels.iter().all(|label| is_it(label, sample)))?;
            if let Value::Counter(value) = sample.value { Some(value) } else { None }
        };
        assert_eq!(value("tumbler_lock_acquired_total", &[]), Some(3.0));
        assert_eq!(value("tumbler_lock_lost_total", &[]), Some(0.0));
        assert_eq!(value("tumbler_rate_limited_total", &[("class", "users.write")]), Some(4.0));
        let users = [("module", "users"), ("operation", "getById")];
        assert_eq!(value("tumbler_cache_hits_total", &users), Some(5.0));
        assert_eq!(value("tumbler_cache_misses_total", &users), Some(2.0));
    }

    #[test]
    fn the_last_bucket_has_the_bound_that_prometheus_expects() {
        let counters = [("http:users:GET:/users/{id}:2xx:+Inf".to_owned(), 3)];
        let text = text(&counters, &Stats::default()).unwrap();
        let last = r#"_bucket{component="users",route="/users/{id}",le="+Inf"} 3"#;
        assert!(text.contains(last) && !text.contains(r#"le="inf""#), "{text}");
    }
}
