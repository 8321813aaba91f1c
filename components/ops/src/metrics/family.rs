//! One metric with all its labels, in the form that the encoder of the crate `prometheus` reads.

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

    /// A metric that counts observations, such as durations, by ranges (buckets).
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

    /// Adds the histogram with these labels. `buckets` has the upper bound of each bucket, in ascending order, and the
    /// number of observations in this bucket alone. `sum` is the sum of all observations.
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
        let buckets = buckets.iter().map(cumulative);
        // The encoder adds the infinite bucket itself. It would write an infinite bound as `inf` instead of `+Inf`.
        histogram.set_bucket(buckets.filter(|bucket| bucket.upper_bound().is_finite()).collect());
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
