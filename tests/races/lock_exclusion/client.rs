//! One of many clients: acquires, increments the counter, sometimes too slowly, and releases, or does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blackbox::{Api, Grant, Response};
use fastrand::Rng;
use serde_json::{Value, json};

use super::counter::Counter;
use super::ledger::{Hold, Moment};
use crate::progress::Progress;

/// What one client did.
#[derive(Debug, Default)]
pub struct Outcome {
    pub holds: Vec<Hold>,
    /// Responses `"acquired":false`.
    pub refusals: u64,
    /// Responses 503.
    pub unavailable: u64,
    /// Requests without a response.
    pub unanswered: u64,
    /// Accesses that the counter refused.
    pub rejected: u64,
    /// Releases whose response says that the lock had expired, or had another holder.
    pub late: u64,
    /// Extensions that were granted.
    pub extended: u64,
    /// Responses that no client should get.
    pub failures: Vec<String>,
}

impl Outcome {
    pub fn merge(&mut self, other: Self) {
        self.holds.extend(other.holds);
        self.refusals += other.refusals;
        self.unavailable += other.unavailable;
        self.unanswered += other.unanswered;
        self.rejected += other.rejected;
        self.late += other.late;
        self.extended += other.extended;
        self.failures.extend(other.failures);
    }
}

pub fn now() -> Moment {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as Moment
}

pub struct Client {
    /// All hosts of the service.
    pub apis: Vec<Api>,
    pub counter: Arc<Counter>,
    pub rng: Rng,
    pub ttls: Arc<Ttls>,
    pub progress: Arc<Progress>,
}

/// The TTLs that the clients ask for: short, so that locks expire during the work, but not so short that a slow machine
/// never grants one.
#[derive(Debug)]
pub struct Ttls {
    shortest_max_ms: u64,
    max_ms: AtomicU64,
    last_grant: AtomicU64,
}

const MIN_MS: u64 = 20;
const LONGEST_MAX_MS: u64 = 2_000;
/// The longest TTL doubles when no lock is granted for this time.
const NO_GRANT_MICROS: u64 = 1_000_000;

impl Ttls {
    /// TTLs of up to `max_ms`, or longer on a machine that is too slow for them.
    pub fn up_to(max_ms: u64) -> Arc<Self> {
        Arc::new(Self { shortest_max_ms: max_ms, max_ms: max_ms.into(), last_grant: now().into() })
    }

    fn random_ms(&self, rng: &mut Rng) -> u64 {
        rng.u64(MIN_MS..=self.max_ms.load(Ordering::Relaxed))
    }

    fn granted(&self) {
        self.last_grant.store(now(), Ordering::Relaxed);
        let max_ms = self.max_ms.load(Ordering::Relaxed);
        self.max_ms.store((max_ms - max_ms / 4).max(self.shortest_max_ms), Ordering::Relaxed);
    }

    fn not_granted(&self) {
        if now() > self.last_grant.load(Ordering::Relaxed) + NO_GRANT_MICROS {
            self.last_grant.store(now(), Ordering::Relaxed);
            let max_ms = self.max_ms.load(Ordering::Relaxed);
            self.max_ms.store((2 * max_ms).min(LONGEST_MAX_MS), Ordering::Relaxed);
        }
    }
}

impl Client {
    pub async fn run(mut self) -> Outcome {
        let mut outcome = Outcome::default();
        while self.progress.goes_on() {
            let ttl_ms = self.ttls.random_ms(&mut self.rng);
            let wait_ms = [0, 100, 1_000][self.rng.usize(..3)];
            let request = json!({"resource": "counter", "ttl": ttl_ms, "wait": wait_ms});
            let asked = now();
            let response = self.api().post("/api/cache/lock/acquire").json(request).send().await.ok();
            let granted = now();
            let json = json_of(response.as_ref(), &mut outcome);
            let Some(grant) = json.as_ref().and_then(|json| Grant::from_json(&json["lock"])) else {
                outcome.refusals += u64::from(json.is_some());
                self.ttls.not_granted();
                self.pause(50).await;
                continue;
            };
            self.ttls.granted();
            let hold = self.work(&grant, asked, granted, &mut outcome).await;
            outcome.holds.push(hold);
            self.progress.count("grants", 1);
        }
        outcome
    }

    /// Increments the counter while the lock is held, and sometimes for longer.
    async fn work(&mut self, grant: &Grant, asked: Moment, granted: Moment, outcome: &mut Outcome) -> Hold {
        let fence = grant.fencing_token;
        let end = grant.expires_at * 1_000;
        let mut hold = Hold { asked, granted, until: end, fence, removed: false, refused: None };
        let value = self.counter.read(fence);
        self.judge(value.is_some(), &mut hold, outcome);
        self.pause(grant.ttl * 3 / 4).await;
        if self.rng.u8(..4) == 0 {
            self.extend(grant, &mut hold, outcome).await;
        }
        self.pause(grant.ttl * 3 / 4).await;
        if let Some(value) = value {
            let written = self.counter.write(fence, value + 1);
            self.progress.count("increments", usize::from(written));
            self.judge(written, &mut hold, outcome);
        }
        // One in eight crashes here: its lock has to expire.
        if self.rng.u8(..8) > 0 {
            self.release(grant, &mut hold, outcome).await;
        }
        hold
    }

    fn judge(&self, admitted: bool, hold: &mut Hold, outcome: &mut Outcome) {
        let at = now();
        if !admitted {
            outcome.rejected += 1;
            self.progress.count("rejections", 1);
            if at < hold.until && hold.refused.is_none() {
                hold.refused = Some(at);
            }
        }
    }

    async fn extend(&mut self, grant: &Grant, hold: &mut Hold, outcome: &mut Outcome) {
        let ttl_ms = self.ttls.random_ms(&mut self.rng);
        // Until the response arrives, the lock may end at the earlier of both times.
        let promised = hold.until;
        hold.until = promised.min(now() + ttl_ms * 1_000);
        let response = self.api().extend(grant, ttl_ms).send().await.ok();
        let Some(json) = json_of(response.as_ref(), outcome) else { return };
        match json["expiresAt"].as_u64() {
            Some(expires_at) => {
                outcome.extended += 1;
                self.progress.count("extensions", 1);
                hold.until = expires_at * 1_000;
            }
            // It ended before the response arrived.
            None => hold.until = hold.until.min(now()),
        }
    }

    async fn release(&mut self, grant: &Grant, hold: &mut Hold, outcome: &mut Outcome) {
        let asked = now();
        let response = self.api().release(grant).send().await.ok();
        let Some(json) = json_of(response.as_ref(), outcome) else {
            hold.until = hold.until.min(asked);
            return;
        };
        hold.removed = json == json!({"released": true});
        outcome.late += u64::from(!hold.removed);
        self.progress.count("late releases", usize::from(!hold.removed));
        // If the lock was still this client's, nobody was granted it before the release was requested, even if the
        // client thought that it had expired.
        hold.until = if hold.removed { asked } else { hold.until.min(asked) };
    }

    fn api(&mut self) -> Api {
        self.apis[self.rng.usize(..self.apis.len())].clone()
    }

    async fn pause(&mut self, max_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..=max_ms))).await;
    }
}

/// The JSON of a response 200. Other responses are counted.
fn json_of(response: Option<&Response>, outcome: &mut Outcome) -> Option<Value> {
    let Some(response) = response else {
        outcome.unanswered += 1;
        return None;
    };
    match response.status() {
        200 => return Some(response.json()),
        503 => outcome.unavailable += 1,
        _ => outcome.failures.push(format!("{response:?}")),
    }
    None
}
