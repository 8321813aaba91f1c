//! Requests by component and route: how many, how they ended, and how long they took.

use std::collections::BTreeMap;

use prometheus::proto::MetricFamily;
use spin_adapter::observe::BUCKETS;

use super::family::Family;

/// The names in a field `http:{component}:{method}:{route}:{class}:{bucket}`.
type Fields<'a> = [&'a str; 6];

/// The metrics of the fields that [`spin_adapter::observe`] writes. Others are ignored.
pub fn families(counters: &[(String, u64)]) -> [MetricFamily; 2] {
    let mut requests: BTreeMap<[&str; 4], u64> = BTreeMap::new();
    let mut durations: BTreeMap<[&str; 2], [u64; BUCKETS.len()]> = BTreeMap::new();
    let mut sums_us: BTreeMap<[&str; 2], u64> = BTreeMap::new();
    for (field, value) in counters {
        let names: Vec<&str> = field.split(':').collect();
        if let Ok(["http", component, method, route, class, bound]) = Fields::try_from(names.as_slice()) {
            *requests.entry([component, route, method, class]).or_default() += value;
            if let Some(bucket) = BUCKETS.iter().position(|(_, name)| *name == bound) {
                durations.entry([component, route]).or_default()[bucket] += value;
            }
        } else if let ["http_us", component, route] = names[..] {
            sums_us.insert([component, route], *value);
        }
    }
    let family =
        Family::counter("tumbler_http_requests_total", "Requests, by component, route and class of status codes.");
    let requests = requests.into_iter().fold(family, |family, ([component, route, method, class], value)| {
        let labels = [("component", component), ("route", route), ("method", method), ("status_class", class)];
        family.add(labels, value)
    });
    let family = Family::histogram(
        "tumbler_http_request_duration_seconds",
        "How long requests took, until the response was ready, in seconds.",
    );
    let durations = durations.into_iter().fold(family, |family, ([component, route], counts)| {
        let seconds = |bound_us: u64| if bound_us == u64::MAX { f64::INFINITY } else { bound_us as f64 / 1e6 };
        let buckets: Vec<(f64, u64)> = BUCKETS.iter().map(|(bound, _)| seconds(*bound)).zip(counts).collect();
        let sum_us = sums_us.get(&[component, route]).copied().unwrap_or_default();
        family.add_histogram([("component", component), ("route", route)], &buckets, sum_us as f64 / 1e6)
    });
    [requests.into_proto(), durations.into_proto()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_status_and_measured_by_route() {
        let counters = [
            ("http:users:GET:/users/{id}:2xx:0.001", 3),
            ("http:users:GET:/users/{id}:2xx:+Inf", 1),
            ("http:users:GET:/users/{id}:4xx:0.001", 2),
            ("http_us:users:/users/{id}", 12_000_000),
            ("http:users:GET", 9),
        ];
        let [requests, durations] = families(&counters.map(|(field, value)| (field.to_owned(), value)));
        let values: Vec<f64> = requests.get_metric().iter().map(|metric| metric.get_counter().get_value()).collect();
        assert_eq!(values, [4.0, 2.0]);
        let [duration] = durations.get_metric() else { panic!("one route") };
        let histogram = duration.get_histogram();
        assert_eq!((histogram.get_sample_count(), histogram.get_sample_sum()), (6, 12.0));
        let counts: Vec<u64> = histogram.get_bucket().iter().map(|bucket| bucket.cumulative_count()).collect();
        assert_eq!((counts[0], counts[12], counts.len()), (5, 5, 13));
    }
}
