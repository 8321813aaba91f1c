//! `--profile`: what components do, for those who make them cheaper. docs/profiling.md says how to use it.
//!
//! Counts do not depend on the machine or its load, unlike times. Instructions come from wasmtime's fuel. Calls of the
//! host come from the spans that wasmtime's generated code opens, and operations of tasks from the lines that wasmtime
//! logs: nothing else knows their names. Without `--profile counts` nobody receives either.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use log::{LevelFilter, Log, Record};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber, span};

use super::state::InstanceState;

/// What to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Write /tmp/perf-PID.map, with which `perf` names the functions of components.
    Perfmap,
    /// Print at the end what one request of each component costs: instructions, calls of the host, operations of tasks.
    Counts,
}

/// How wasmtime's log lines begin, and what is counted for them.
const OPERATIONS: [(&str, &str); 5] = [
    ("deliver event", "resumptions"),
    ("new transmit", "streams and futures"),
    ("waitable ", "changes of waitable sets"),
    ("subtask_cancel", "cancelled calls"),
    ("new waitable set", "waitable sets"),
];

/// The target of these lines.
const CONCURRENCY: &str = "wasmtime::runtime::component::concurrent";

/// What the instances of one component did.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Totals>);

#[derive(Debug, Default)]
struct Totals {
    requests: u64,
    instructions: u64,
    calls: BTreeMap<String, u64>,
    operations: BTreeMap<&'static str, u64>,
}

/// By component; not set unless `--profile counts`.
static COMPONENTS: OnceLock<Mutex<BTreeMap<String, Arc<Counts>>>> = OnceLock::new();

thread_local! {
    /// The component whose event loop is being polled.
    static CURRENT: RefCell<Option<Arc<Counts>>> = const { RefCell::new(None) };
}

impl Profile {
    /// Configures the engine.
    pub(super) fn configure(self, config: &mut wasmtime::Config) -> anyhow::Result<()> {
        match self {
            Self::Perfmap => drop(config.profiler(wasmtime::ProfilingStrategy::PerfMap)),
            Self::Counts => {
                config.consume_fuel(true);
                COMPONENTS.get_or_init(Mutex::default);
                tracing::subscriber::set_global_default(HostCalls)?;
                log::set_logger(&TaskOperations).map_err(|error| anyhow::anyhow!("{error}"))?;
                log::set_max_level(LevelFilter::Trace);
            }
        }
        Ok(())
    }
}

/// The counts of a component. None: nothing is counted.
pub fn counts_of(component: &str) -> Option<Arc<Counts>> {
    let components = COMPONENTS.get()?;
    Some(lock(components).entry(component.to_owned()).or_default().clone())
}

/// Gives a new store enough fuel, if instructions are counted.
pub(super) fn fuel(store: &mut wasmtime::Store<InstanceState>) {
    if COMPONENTS.get().is_some() {
        store.set_fuel(u64::MAX).expect("the engine counts fuel");
    }
}

/// Polls an event loop. Its calls of the host are counted in `counts`.
pub fn during<R>(counts: &Option<Arc<Counts>>, poll: impl FnOnce() -> R) -> R {
    let Some(counts) = counts else { return poll() };
    let before = CURRENT.replace(Some(counts.clone()));
    let result = poll();
    CURRENT.set(before);
    result
}

/// Counts a request of the component whose event loop is being polled.
pub fn count_request() {
    if COMPONENTS.get().is_some() {
        add(|totals| totals.requests += 1);
    }
}

impl Counts {
    /// Adds the instructions of an instance that has ended.
    pub fn add_instructions(&self, store: &wasmtime::Store<InstanceState>) {
        let executed = store.get_fuel().map_or(0, |left| u64::MAX - left);
        lock(&self.0).instructions += executed;
    }
}

/// The counts per request as text. None: nothing is counted.
pub fn table() -> Option<String> {
    let components = lock(COMPONENTS.get()?);
    let mut text = String::new();
    for (id, counts) in components.iter() {
        let totals = lock(&counts.0);
        // Writing to memory does not fail.
        let _ = writeln!(text, "{id}: {} requests; per request:\n{totals}", totals.requests);
    }
    Some(text)
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_request = |count: u64| count as f64 / self.requests.max(1) as f64;
        writeln!(f, "{:12.0} instructions", per_request(self.instructions))?;
        writeln!(f, "{:12.2} calls of the host", per_request(self.calls.values().sum()))?;
        for (name, count) in &self.calls {
            writeln!(f, "{:14.2} {name}", per_request(*count))?;
        }
        self.operations.iter().try_for_each(|(name, count)| writeln!(f, "{:12.2} {name}", per_request(*count)))
    }
}

fn add(change: impl FnOnce(&mut Totals)) {
    CURRENT.with_borrow(|current| {
        if let Some(counts) = current {
            change(&mut lock(&counts.0));
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the spans of wasmtime's generated code: one for each call of the host.
struct HostCalls;

/// The name of these spans.
const IMPORT: &str = "wit-bindgen import";

/// `module.function` of such a span.
#[derive(Default)]
struct Function(String);

impl Visit for Function {
    fn record_str(&mut self, field: &Field, value: &str) {
        let separator = if self.0.is_empty() { "" } else { "." };
        if ["module", "function"].contains(&field.name()) {
            self.0.push_str(separator);
            self.0.push_str(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl Subscriber for HostCalls {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.name() == IMPORT { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name() == IMPORT
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut function = Function::default();
        span.record(&mut function);
        add(|totals| *totals.calls.entry(function.0).or_default() += 1);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Counts the lines that wasmtime logs about tasks.
struct TaskOperations;

impl Log for TaskOperations {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with(CONCURRENCY)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        if let Some((_, name)) = OPERATIONS.iter().find(|(beginning, _)| line.starts_with(beginning)) {
            add(|totals| *totals.operations.entry(name).or_default() += 1);
        }
    }

    fn flush(&self) {}
}
