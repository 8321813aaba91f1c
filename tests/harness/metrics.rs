//! The metrics of the application, read as a Prometheus server reads them.

use openmetrics_parser::prometheus::parse_prometheus;
use openmetrics_parser::{HistogramValue, MetricsExposition, PrometheusType, PrometheusValue};

use crate::{Api, Response};

/// All metrics at one time.
#[derive(Debug)]
pub struct Metrics(MetricsExposition<PrometheusType, PrometheusValue>);

impl Metrics {
    /// Reads a response in the text format of Prometheus. Panics if it is none: an unknown line, a metric twice, a
    /// histogram without `+Inf`.
    pub fn read(response: &Response) -> Self {
        assert_eq!(response.status(), 200, "{response:?}");
        assert!(response.header("content-type").starts_with("text/plain; version=0.0.4"), "{response:?}");
        let parsed = parse_prometheus(response.text());
        Self(parsed.unwrap_or_else(|error| panic!("{error:?}:\n{}", response.text())))
    }

    /// The sum of all counters of this name that have these labels, whatever other labels they have; 0 if there are
    /// none.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let value = |value: &PrometheusValue| match value {
            PrometheusValue::Counter(counter) => counter.value.as_f64() as u64,
            other => panic!("{name} is no counter: {other:?}"),
        };
        self.values(name, labels).iter().map(|(_, found)| value(found)).sum()
    }

    /// The histogram of this name with these labels. Panics if there is none, or if there are several.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> HistogramValue {
        match self.values(name, labels).as_slice() {
            [(_, PrometheusValue::Histogram(histogram))] => histogram.clone(),
            others => panic!("{name} {labels:?}: {others:?}"),
        }
    }

    /// The values that this label has in the metric of this name.
    pub fn label_values(&self, name: &str, label: &str) -> Vec<String> {
        let all = self.values(name, &[]);
        let value =
            |labels: &[(String, String)]| labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.clone());
        let mut values: Vec<_> = all.iter().filter_map(|(labels, _)| value(labels)).collect();
        values.sort();
        values.dedup();
        values
    }

    /// The names of all metrics.
    pub fn names(&self) -> Vec<&str> {
        self.0.families.keys().map(String::as_str).collect()
    }

    fn values(&self, name: &str, wanted: &[(&str, &str)]) -> Vec<(Vec<(String, String)>, &PrometheusValue)> {
        let Some(family) = self.0.families.get(name) else { return Vec::new() };
        let samples = family.iter_samples().map(|sample| {
            let labels = sample.get_labelset().unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let labels: Vec<_> = labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            (labels, &sample.value)
        });
        let has = |labels: &[(String, String)], (name, value): &(&str, &str)| {
            labels.iter().any(|(other, found)| other == name && found == value)
        };
        samples.filter(|(labels, _)| wanted.iter().all(|label| has(labels, label))).collect()
    }
}

impl Api {
    /// GET /metrics, with the token of this client. Panics if that fails.
    pub async fn metrics(&self) -> Metrics {
        Metrics::read(&self.get("/metrics").await)
    }
}
