//! The dashboard, the alert rules and the manual have the names of metrics that exist. The component ops tests those of
//! the components.

use std::collections::BTreeSet;

use super::Metrics;

const DASHBOARD: &str = include_str!("../../../deploy/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../deploy/alerts.yaml");
const MANUAL: &str = include_str!("../../../docs/operating.md");

/// The names of all metrics of the host.
fn existing() -> BTreeSet<String> {
    let text = Metrics::new(["some".to_owned()].into_iter(), 1).text();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The names of the host's metrics in `text`.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("tumbler_host_") || word.starts_with("process_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

#[test]
fn the_manual_explains_all_metrics() {
    assert_eq!(named(MANUAL), existing());
}

#[test]
fn the_dashboard_and_the_alert_rules_use_metrics_that_exist() {
    let existing = existing();
    for (file, text) in [("the dashboard", DASHBOARD), ("the alert rules", ALERTS)] {
        let named = named(text);
        assert!(named.contains("tumbler_host_traps_total"), "{file}: {named:?}");
        assert!(named.is_subset(&existing), "{file}: {:?}", named.difference(&existing).collect::<Vec<_>>());
    }
}
