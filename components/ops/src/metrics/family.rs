//! One metric with all its labels, as the encoder of Prometheus wants it.

use prometheus::proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// A metric under construction.
pub struct Family {
    proto: MetricFamily,
    metrics: Vec<Metric>,
}

impl Family {
    /// A metric that counts.
    pub fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    /// A metric that measures, in buckets.
    pub fn histogram(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::HISTOGRAM)
    }

    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut proto = MetricFamily::default();
        proto.set_name(name.to_owned());
        proto.set_help(help.to_owned());
        proto.set_field_type(kind);
        Self { proto, metrics: Vec::new() }
    }

    /// Adds the counter with these labels.
    #[must_use]
    pub fn add<const N: usize>(mut self, labels: [(&str, &str); N], value: u64) -> Self {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_counter(counter);
        self.metrics.push(metric);
        self
    }

    /// Adds the histogram with these labels. `buckets` are upper bounds, in ascending order, and how many observations
    /// are in each and in no bucket before it; `sum` is that of all observations.
    #[must_use]
    pub fn add_histogram<const N: usize>(
        mut self,
        labels: [(&str, &str); N],
        buckets: &[(f64, u64)],
        sum: f64,
    ) -> Self {
        let mut histogram = Histogram::default();
        let mut count = 0;
        let cumulative = |(bound, number): &(f64, u64)| {
            count += number;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(count);
            bucket
        };
        histogram.set_bucket(buckets.iter().map(cumulative).collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_histogram(histogram);
        self.metrics.push(metric);
        self
    }

    /// The finished metric.
    pub fn into_proto(mut self) -> MetricFamily {
        self.proto.set_metric(self.metrics);
        self.proto
    }
}

fn pairs<const N: usize>(labels: [(&str, &str); N]) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    labels.map(pair).into()
}
