//! One client of a workload: it sends requests and records what it did and saw.

use std::sync::Arc;
use std::time::{Duration, Instant};

use blackbox::{Api, Request};
use fastrand::Rng;
use serde_json::Value;

use super::super::history::{History, Moment, Read};
use crate::progress::Progress;

/// The longest pause between two requests of one client, in milliseconds. Several workloads share a machine.
const PAUSE_MS: u64 = 4;

/// What a workload did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Everything that was read and acknowledged.
    pub history: History,
    /// Responses.
    pub responses: u64,
    /// Responses from the cache, by `Cache-Status`.
    pub hits: u64,
    /// Requests without a response: the connection was refused or broke.
    pub unanswered: u64,
    /// Responses that say that the service, or one that it needs, is unavailable.
    pub unavailable: u64,
    /// Responses that no client should get, such as a 500.
    pub failures: Vec<String>,
}

impl Outcome {
    pub fn merge(&mut self, other: Self) {
        self.history.merge(other.history);
        self.responses += other.responses;
        self.hits += other.hits;
        self.unanswered += other.unanswered;
        self.unavailable += other.unavailable;
        self.failures.extend(other.failures);
    }
}

/// A way to read one resource.
pub trait View: Copy + Send + 'static {
    /// The key in the history. Its versions are those of the response.
    fn key(self) -> i64;

    /// The request.
    fn request(self, api: &Api) -> Request;

    /// The version that a response with status 200 shows.
    fn version(self, body: &Value) -> Option<u64>;

    /// Other keys of the history that such a response tells the versions of.
    fn others(self, _body: &Value) -> Vec<(i64, u64)> {
        Vec::new()
    }
}

/// What a list shows.
#[derive(Debug)]
pub struct Found {
    /// The keys and the versions.
    pub found: Vec<(i64, u64)>,
    /// Greater keys are on other pages.
    pub last: Option<i64>,
}

/// The entity tag of an earlier read.
#[derive(Clone, Debug)]
pub struct Remembered<V> {
    pub view: V,
    version: u64,
    etag: String,
}

/// A client.
pub struct Client {
    pub api: Api,
    pub rng: Rng,
    pub outcome: Outcome,
    /// Whether 502, 503 and 504 are allowed, because something that the service needs is down at times.
    pub allows_outages: bool,
    /// Whether the host is never killed, so that every request gets a response.
    pub expects_responses: bool,
    origin: Instant,
    progress: Arc<Progress>,
}

impl Client {
    pub(super) fn new(api: &Api, origin: Instant, progress: &Arc<Progress>, seed: u64) -> Self {
        let (api, progress) = (api.clone(), progress.clone());
        let outcome = Outcome::default();
        Self {
            api,
            rng: Rng::with_seed(seed),
            outcome,
            allows_outages: false,
            expects_responses: false,
            origin,
            progress,
        }
    }

    /// Another client with the same clock.
    pub(super) fn another(&self, api: &Api, progress: &Arc<Progress>, seed: u64) -> Self {
        let another = Self::new(api, self.origin, progress, seed);
        Self { allows_outages: self.allows_outages, ..another }
    }

    /// The race that it takes part in.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Waits a little; false when the race has ended.
    pub async fn goes_on(&mut self) -> bool {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..PAUSE_MS))).await;
        self.progress.goes_on()
    }

    /// The time for the history.
    pub fn now(&self) -> Moment {
        Moment::try_from(self.origin.elapsed().as_nanos()).expect("2^64 ns are 584 years")
    }

    /// Reads one resource, with If-None-Match if something is remembered; returns what to remember next.
    pub async fn get<V: View>(&mut self, view: V, known: Option<Remembered<V>>) -> Option<Remembered<V>> {
        let start = self.now();
        let mut request = view.request(&self.api);
        if let Some(known) = &known {
            request = request.header("if-none-match", &known.etag);
        }
        let (status, etag, body) = self.send(request).await?;
        let end = self.now();
        let allowed: &[u16] = if known.is_some() { &[200, 404, 304] } else { &[200, 404] };
        self.expect(status, allowed, "GET", &body)?;
        let version = match status {
            404 => None,
            304 => known.as_ref().map(|known| known.version),
            _ => Some(view.version(&body)?),
        };
        self.read(Read { key: view.key(), start, end, version });
        for (key, version) in if status == 200 { view.others(&body) } else { Vec::new() } {
            self.read(Read { key, start, end, version: Some(version) });
        }
        if status == 304 { known } else { Some(Remembered { view, version: version?, etag }) }
    }

    /// Reads several resources at once. `found` says what is in the response: each of `keys` counts as one read.
    pub async fn list(&mut self, request: Request, keys: &[i64], found: impl Fn(&Value) -> Option<Found>) {
        let start = self.now();
        let Some((status, _, body)) = self.send(request).await else { return };
        let end = self.now();
        let Some(Found { found, last }) = self.expect(status, &[200], "GET", &body).and_then(|()| found(&body)) else {
            return;
        };
        for key in keys.iter().filter(|key| last.is_none_or(|last| **key <= last)) {
            let version = found.iter().find(|(found, _)| found == key).map(|(_, version)| *version);
            self.read(Read { key: *key, start, end, version });
        }
    }

    fn read(&mut self, read: Read) {
        self.outcome.history.read(read);
        self.progress.count("reads", 1);
    }

    /// A write that made this version was acknowledged before `end`.
    pub fn acknowledge(&mut self, key: i64, version: u64, end: Moment) {
        self.outcome.history.acknowledge(key, version, end);
    }

    /// Counts a write that was acknowledged.
    pub fn has_written(&self) {
        self.progress.count("writes", 1);
    }

    /// Sends one request. Returns status, entity tag and body of the response, or `None` if none arrives.
    pub async fn send(&mut self, request: Request) -> Option<(u16, String, Value)> {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                self.outcome.unanswered += 1;
                if self.expects_responses {
                    self.outcome.failures.push(format!("no response: {error:?}"));
                }
                // The host is down.
                tokio::time::sleep(Duration::from_millis(10)).await;
                return None;
            }
        };
        self.outcome.responses += 1;
        self.outcome.hits += u64::from(response.is_hit());
        self.progress.count("hits", usize::from(response.is_hit()));
        // An empty body is not JSON.
        let body = serde_json::from_str(response.text()).unwrap_or(Value::Null);
        Some((response.status(), response.header("etag").to_owned(), body))
    }

    /// Records a failure unless the status is one of those `allowed`.
    pub fn expect(&mut self, status: u16, allowed: &[u16], what: &str, body: &Value) -> Option<()> {
        if allowed.contains(&status) {
            return Some(());
        }
        if self.allows_outages && matches!(status, 502..=504) {
            self.outcome.unavailable += 1;
            return None;
        }
        self.outcome.failures.push(format!("{what}: {status} {body}"));
        None
    }
}
