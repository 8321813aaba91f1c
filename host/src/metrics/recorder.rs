//! What one worker counts for one component.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use http::StatusCode;

/// Upper bounds of the latency histogram, in seconds.
pub const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What happened to a message of a Redis trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The component handled it.
    Handled,
    /// The component returned an error, trapped, or did not finish in time.
    Failed,
    /// Too many messages were waiting.
    Dropped,
}

/// Why a request was refused with 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `--max-queue` requests were waiting.
    Queue,
    /// It had waited too long: `--max-queue-wait`, or `--max-overload-wait`.
    Wait,
    /// The host had used up `--max-memory`.
    Memory,
}

/// The figures of one component on one worker. They are aligned to 128 bytes, because some processors load two cache
/// lines of 64 bytes at once.
#[derive(Default)]
#[repr(align(128))]
pub struct Figures {
    /// Responses by the first digit of their status, 1 to 5.
    pub responses: [AtomicU64; 5],
    /// Responses by duration. For each bound of [`BUCKETS`]: those up to this bound and over the bound before. Last:
    /// those over all bounds.
    pub durations: [AtomicU64; BUCKETS.len() + 1],
    /// The sum of their durations, in microseconds.
    pub duration_us: AtomicU64,
    /// Requests whose client closed the connection before the response.
    pub cancelled: AtomicU64,
    /// Requests that were refused, in the order of [`Refusal`].
    pub refused: [AtomicU64; 3],
    /// Requests that wait for an instance.
    pub waiting: AtomicU64,
    /// Requests without a response, including those that wait.
    pub in_flight: AtomicU64,
    /// Instances that were started.
    pub instances_created: AtomicU64,
    /// Instances that exist.
    pub instances: AtomicU64,
    /// Instances that trapped.
    pub traps: AtomicU64,
    /// Messages of Redis triggers, in the order of [`Message`].
    pub messages: [AtomicU64; 3],
}

impl Figures {
    fn responded(&self, status: StatusCode) {
        // A status has three digits; those above 599 have no meaning and count as 5xx.
        let class = usize::from(status.as_u16() / 100).clamp(1, 5);
        add(&self.responses[class - 1]);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

fn subtract(gauge: &AtomicU64) {
    gauge.fetch_sub(1, Relaxed);
}

/// Counts what concerns one component on one worker; counts nothing without `--metrics-listen`.
#[derive(Clone, Default)]
pub struct Recorder(Option<Arc<Figures>>);

impl Recorder {
    /// One that counts, from zero.
    pub fn counting() -> Self {
        Self(Some(Arc::default()))
    }

    /// What it has counted.
    pub fn figures(&self) -> Option<&Figures> {
        self.0.as_deref()
    }

    /// A request has arrived. Its duration counts from now.
    pub fn request(&self) -> Request {
        Request(self.0.as_ref().map(|figures| {
            add(&figures.in_flight);
            (figures.clone(), Instant::now())
        }))
    }

    /// The host itself has responded: no request was counted before.
    pub fn responded(&self, status: StatusCode) {
        self.0.iter().for_each(|figures| figures.responded(status));
    }

    /// A request was refused.
    pub fn refused(&self, why: Refusal) {
        self.0.iter().for_each(|figures| add(&figures.refused[why as usize]));
    }

    /// `count` requests are waiting for an instance.
    pub fn waiting(&self, count: usize) {
        self.0.iter().for_each(|figures| figures.waiting.store(count as u64, Relaxed));
    }

    /// An instance has started. It exists until the returned guard is dropped.
    pub fn instance(&self) -> impl Drop + use<> {
        self.0.iter().for_each(|figures| {
            add(&figures.instances_created);
            add(&figures.instances);
        });
        Instance(self.0.clone())
    }

    /// An instance has trapped.
    pub fn trapped(&self) {
        self.0.iter().for_each(|figures| add(&figures.traps));
    }

    /// What happened to a message.
    pub fn message(&self, what: Message) {
        self.0.iter().for_each(|figures| add(&figures.messages[what as usize]));
    }
}

/// An instance that exists.
struct Instance(Option<Arc<Figures>>);

impl Drop for Instance {
    fn drop(&mut self) {
        self.0.iter().for_each(|figures| subtract(&figures.instances));
    }
}

/// A request that has no response yet. Dropped without [`Self::answered`], it counts as cancelled.
#[must_use]
pub struct Request(Option<(Arc<Figures>, Instant)>);

impl Request {
    /// The header of its response is ready.
    pub fn answered(mut self, status: StatusCode) {
        let Some((figures, started)) = self.0.take() else { return };
        let took = started.elapsed();
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        add(&figures.durations[bucket]);
        figures.duration_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        figures.responded(status);
        subtract(&figures.in_flight);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some((figures, _)) = self.0.take() {
            add(&figures.cancelled);
            subtract(&figures.in_flight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }

    #[test]
    fn a_request_is_answered_or_cancelled() {
        let recorder = Recorder::counting();
        let (first, second) = (recorder.request(), recorder.request());
        let figures = recorder.figures().expect("counts");
        assert_eq!(value(&figures.in_flight), 2);
        first.answered(StatusCode::NOT_FOUND);
        drop(second);
        assert_eq!(figures.responses.each_ref().map(value), [0, 0, 0, 1, 0]);
        assert_eq!((value(&figures.cancelled), value(&figures.in_flight)), (1, 0));
        assert_eq!(figures.durations.iter().map(value).sum::<u64>(), 1, "a cancelled request has no duration");
    }

    #[test]
    fn nothing_is_counted_without_the_option() {
        let recorder = Recorder::default();
        recorder.request().answered(StatusCode::OK);
        drop(recorder.instance());
        assert!(recorder.figures().is_none());
    }
}
