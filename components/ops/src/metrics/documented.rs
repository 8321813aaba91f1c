//! The dashboard, the alert rules and the manual have the names of metrics that exist. The host tests those of its own
//! metrics.

use std::collections::{BTreeMap, BTreeSet};

use versioned_cache::{Counters, Stats};

const DASHBOARD: &str = include_str!("../../../../deploy/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../../deploy/alerts.yaml");
const MANUAL: &str = include_str!("../../../../docs/operating.md");

/// The names of all metrics of this component.
fn existing() -> BTreeSet<String> {
    let counters = ["rate_limited:default", "http:users:GET:/users/{id}:2xx:0.005", "http_us:users:/users/{id}"];
    let counters = counters.map(|field| (field.to_owned(), 1));
    let cache = Stats(BTreeMap::from([(("users".to_owned(), "getById".to_owned()), Counters::default())]));
    let text = super::text(&counters, &cache).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The names of metrics in `text`, without those of the host.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("tumbler_") && !word.starts_with("tumbler_host_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

#[test]
fn the_dashboard_shows_all_metrics() {
    assert_eq!(named(DASHBOARD), existing());
}

#[test]
fn the_manual_explains_all_metrics() {
    assert_eq!(named(MANUAL), existing());
}

#[test]
fn the_alert_rules_use_metrics_that_exist() {
    let (named, existing) = (named(ALERTS), existing());
    assert!(named.contains("tumbler_cache_stale_total"), "{named:?}");
    assert!(named.is_subset(&existing), "{:?}", named.difference(&existing).collect::<Vec<_>>());
}

#[test]
fn the_manual_explains_all_alerts() {
    let alerts: Vec<&str> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.contains(&"TumblerStaleEntries"), "{alerts:?}");
    for alert in alerts {
        assert!(MANUAL.contains(&format!("`{alert}`")), "{alert}");
    }
}
