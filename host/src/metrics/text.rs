//! The figures as Prometheus text, version 0.0.4. The crate `prometheus` writes it; its `Counter` and `Histogram` are
//! not used, because all threads would write the same atomics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType as Kind};

use super::connections::REASONS;
use super::recorder::{BUCKETS, Figures};
use super::{Metrics, process};

const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// In the order of [`super::Message`].
const MESSAGE_RESULTS: [&str; 3] = ["handled", "failed", "dropped"];

/// In the order of [`super::Refusal`].
const REFUSALS: [&str; 3] = ["queue", "wait", "memory"];

/// Counters and gauges with one sample per component: name, kind, meaning, and where the value is.
type OfComponent = (&'static str, Kind, &'static str, fn(&Figures) -> &AtomicU64);
const OF_COMPONENTS: [OfComponent; 6] = [
    (
        "requests_cancelled_total",
        Kind::COUNTER,
        "Requests whose client closed the connection before the response.",
        |figures| &figures.cancelled,
    ),
    ("requests_waiting", Kind::GAUGE, "Requests that wait for an instance.", |figures| &figures.waiting),
    (
        "requests_in_flight",
        Kind::GAUGE,
        "Requests that have no response yet, with those that wait for an instance.",
        |figures| &figures.in_flight,
    ),
    ("instances_created_total", Kind::COUNTER, "Instances that were started.", |figures| &figures.instances_created),
    ("instances", Kind::GAUGE, "Instances that exist.", |figures| &figures.instances),
    ("traps_total", Kind::COUNTER, "Instances that trapped.", |figures| &figures.traps),
];

/// A label and what each worker has counted for it.
type Labelled<'a> = (&'a str, Vec<&'a Figures>);

/// All figures.
pub fn of(metrics: &Metrics) -> String {
    let with_none: Vec<_> = metrics.by_component().collect();
    // The last label is for requests without a component, of which only the responses are counted.
    let components = &with_none[..with_none.len() - 1];
    let mut families = vec![
        family(
            "requests_total",
            Kind::COUNTER,
            "Responses, to clients and to other components.",
            with_none
                .iter()
                .flat_map(|labelled| by_value(labelled, "status_class", &STATUS_CLASSES, |figures| &figures.responses)),
        ),
        family(
            "request_duration_seconds",
            Kind::HISTOGRAM,
            "Time from the header of the request, or the end of a short body, to the header of the response.",
            components.iter().map(histogram),
        ),
        family(
            "requests_refused_total",
            Kind::COUNTER,
            "Requests answered 503 because the queue was full, they had waited too long, or memory was short.",
            components.iter().flat_map(|labelled| by_value(labelled, "reason", &REFUSALS, |figures| &figures.refused)),
        ),
        family(
            "redis_messages_total",
            Kind::COUNTER,
            "Messages of Redis triggers.",
            components
                .iter()
                .flat_map(|labelled| by_value(labelled, "result", &MESSAGE_RESULTS, |figures| &figures.messages)),
        ),
    ];
    families.extend(OF_COMPONENTS.map(|(name, kind, help, value)| {
        let of_component =
            |(component, figures): &Labelled<'_>| sample(kind, &[("component", component)], sum(figures, value));
        family(name, kind, help, components.iter().map(of_component))
    }));
    families.push(closed_connections(metrics));
    families.extend(of_process(metrics));
    // It checks the names, which are constants.
    TextEncoder::new().encode_to_string(&families).expect("valid names")
}

fn family(name: &str, kind: Kind, help: &str, samples: impl Iterator<Item = Metric>) -> MetricFamily {
    new_family(&format!("tumbler_host_{name}"), kind, help, samples.collect())
}

/// Counters of one component, one for each of `values`, which are those of the label `name`.
fn by_value(
    (component, figures): &Labelled<'_>,
    name: &str,
    values: &[&str],
    of: fn(&Figures) -> &[AtomicU64],
) -> Vec<Metric> {
    let sample = |(index, value): (usize, &&str)| {
        counter(&[("component", component), (name, value)], sum(figures, |figures| &of(figures)[index]))
    };
    values.iter().enumerate().map(sample).collect()
}

fn closed_connections(metrics: &Metrics) -> MetricFamily {
    let count = |index: usize| metrics.connections().map(|figures| figures.closed[index].load(Relaxed)).sum::<u64>();
    let samples = REASONS.iter().enumerate().map(|(index, reason)| counter(&[("reason", reason)], count(index) as f64));
    let help = "Connections that the host closed before their time, or refused.";
    family("connections_closed_total", Kind::COUNTER, help, samples)
}

fn of_process(metrics: &Metrics) -> impl Iterator<Item = MetricFamily> {
    [
        (
            "tumbler_host_connections",
            Kind::GAUGE,
            "Open connections of clients.",
            Some(metrics.open_connections() as f64),
        ),
        ("process_cpu_seconds_total", Kind::COUNTER, "Processor time, in seconds.", Some(process::cpu_s())),
        ("process_resident_memory_bytes", Kind::GAUGE, "Resident memory, in bytes.", process::resident_memory_bytes()),
        (
            "tumbler_host_memory_limit_bytes",
            Kind::GAUGE,
            "The memory that the host may use: --max-memory.",
            process::memory_limit_bytes(),
        ),
        ("process_open_fds", Kind::GAUGE, "Open file descriptors.", process::open_fds()),
        ("process_max_fds", Kind::GAUGE, "Limit of open file descriptors.", process::max_fds()),
        (
            "process_start_time_seconds",
            Kind::GAUGE,
            "Start of the process, in seconds since 1970.",
            Some(process::start_time_s()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, kind, help, value)| Some(new_family(name, kind, help, vec![sample(kind, &[], value?)])))
}

fn sum(figures: &[&Figures], value: impl Fn(&Figures) -> &AtomicU64) -> f64 {
    figures.iter().map(|figures| value(figures).load(Relaxed)).sum::<u64>() as f64
}

fn new_family(name: &str, kind: Kind, help: &str, samples: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

/// A counter or a gauge.
fn sample(kind: Kind, labels: &[(&str, &str)], value: f64) -> Metric {
    if kind == Kind::COUNTER {
        return counter(labels, value);
    }
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = labelled(labels);
    metric.set_gauge(gauge);
    metric
}

fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = labelled(labels);
    metric.set_counter(counter);
    metric
}

fn histogram((component, figures): &Labelled<'_>) -> Metric {
    let mut count = 0;
    let mut within = |index: usize| {
        count += figures.iter().map(|figures| figures.durations[index].load(Relaxed)).sum::<u64>();
        count
    };
    let bucket = |(index, bound): (usize, &f64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(within(index));
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(BUCKETS.iter().enumerate().map(bucket).collect());
    // The encoder adds the bucket +Inf.
    histogram.set_sample_count(within(BUCKETS.len()));
    histogram.set_sample_sum(sum(figures, |figures| &figures.duration_us) / 1e6);
    let mut metric = labelled(&[("component", component)]);
    metric.set_histogram(histogram);
    metric
}
