//! The host's own figures, for `--metrics-listen`.
//!
//! Each worker counts in atomics of its own ([`Recorder`]), so that no two threads write the same cache line. A request
//! for the metrics adds them up ([`Metrics::text`]). Without the option there are no atomics: a [`Recorder`] is empty,
//! and counting is one comparison.

mod connections;
#[cfg(test)]
mod documented_tests;
mod process;
mod recorder;
mod text;

use std::sync::Arc;

pub use connections::Closed;
use connections::ConnectionFigures;
pub use process::note_memory_limit;
use recorder::Figures;
pub use recorder::{Message, Recorder, Refusal, Request};

/// The figures of the whole process.
pub struct Metrics {
    /// The components' ids, in the order of the application's components; then [`NO_COMPONENT`].
    labels: Vec<String>,
    workers: Vec<WorkerMetrics>,
}

/// The label of requests that the host itself answers: no route matches, or the route has a fixed response.
const NO_COMPONENT: &str = "none";

/// Where one worker counts.
#[derive(Clone, Default)]
pub struct WorkerMetrics {
    /// For each component, then for requests without a component. Empty without `--metrics-listen`.
    recorders: Vec<Recorder>,
    connections: Option<Arc<ConnectionFigures>>,
}

impl Metrics {
    /// Figures of `workers` threads, all zero. `components` are the ids of the application's components.
    pub fn new(components: impl Iterator<Item = String>, workers: usize) -> Self {
        process::note_start();
        let labels: Vec<String> = components.chain([NO_COMPONENT.to_owned()]).collect();
        let worker = || WorkerMetrics {
            recorders: labels.iter().map(|_| Recorder::counting()).collect(),
            connections: Some(Arc::default()),
        };
        Self { workers: (0..workers).map(|_| worker()).collect(), labels }
    }

    /// Where the worker with this number counts.
    pub fn worker(&self, number: usize) -> WorkerMetrics {
        self.workers[number].clone()
    }

    /// All figures in Prometheus' text format, version 0.0.4.
    pub fn text(&self) -> String {
        text::of(self)
    }

    /// Each label, and what each worker has counted for it.
    fn by_component(&self) -> impl Iterator<Item = (&str, Vec<&Figures>)> {
        self.labels.iter().enumerate().map(|(index, label)| {
            let figures = self.workers.iter().filter_map(move |worker| worker.recorders[index].figures());
            (label.as_str(), figures.collect())
        })
    }

    fn open_connections(&self) -> u64 {
        self.connections().map(ConnectionFigures::open).sum()
    }

    fn connections(&self) -> impl Iterator<Item = &ConnectionFigures> {
        self.workers.iter().filter_map(|worker| worker.connections.as_deref())
    }
}

impl WorkerMetrics {
    /// Where to count what concerns the component with this index.
    pub fn of_component(&self, index: usize) -> Recorder {
        self.recorders.get(index).cloned().unwrap_or_default()
    }

    /// Where to count requests that no component answers.
    pub fn without_component(&self) -> Recorder {
        self.recorders.last().cloned().unwrap_or_default()
    }

    /// Counts a connection as open until the returned guard is dropped.
    pub fn connection_opened(&self) -> impl Drop + use<> {
        ConnectionFigures::count(self.connections.clone())
    }

    /// Counts a connection that the host closes, or refuses.
    pub fn connection_closed(&self, why: Closed) {
        self.connections.iter().for_each(|figures| figures.closed(why));
    }
}
