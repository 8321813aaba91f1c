//! One of many clients: acquires, increments, sometimes too slowly, and releases, or forgets to.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use blackbox::{Api, Grant};
use fastrand::Rng;
use reqwest::Response;
use serde_json::{Value, json};

use crate::counter::Counter;
use crate::ledger::{Hold, Moment};

/// What one client did.
#[derive(Debug, Default)]
pub struct Outcome {
    pub holds: Vec<Hold>,
    /// Requests for the lock that were answered `"acquired":false`.
    pub refusals: u64,
    /// Answers 503.
    pub unavailable: u64,
    /// Accesses that the resource refused.
    pub rejected: u64,
    /// Releases that were told that the lock had expired, or was somebody else's by then.
    pub late: u64,
    /// Extensions that came in time.
    pub extended: u64,
    /// Answers that no client should get.
    pub failures: Vec<String>,
}

impl Outcome {
    pub fn merge(&mut self, other: Self) {
        self.holds.extend(other.holds);
        self.refusals += other.refusals;
        self.unavailable += other.unavailable;
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
    /// The longest TTL, in milliseconds. Short, so that locks expire in the middle of the work.
    pub max_ttl_ms: u64,
    pub end: Instant,
}

const MIN_TTL_MS: u64 = 20;

impl Client {
    pub async fn run(mut self) -> Outcome {
        let mut outcome = Outcome::default();
        while Instant::now() < self.end {
            let ttl_ms = self.rng.u64(MIN_TTL_MS..=self.max_ttl_ms);
            let wait_ms = [0, 100, 1_000][self.rng.usize(..3)];
            let body = json!({"resource": "counter", "ttl": ttl_ms, "wait": wait_ms});
            let asked = now();
            let answer = self.api().acquire_lock(&body).await;
            let granted = now();
            let Some(json) = understood(answer, &mut outcome).await else {
                self.pause(50).await;
                continue;
            };
            let Some(grant) = Grant::from_json(&json["lock"]) else {
                outcome.refusals += 1;
                self.pause(50).await;
                continue;
            };
            let hold = self.work(&grant, asked, granted, &mut outcome).await;
            outcome.holds.push(hold);
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
            self.judge(written, &mut hold, outcome);
        }
        // One in eight dies here: its lock has to expire.
        if self.rng.u8(..8) > 0 {
            self.release(grant, &mut hold, outcome).await;
        }
        hold
    }

    fn judge(&self, admitted: bool, hold: &mut Hold, outcome: &mut Outcome) {
        let at = now();
        if !admitted {
            outcome.rejected += 1;
            if at < hold.until && hold.refused.is_none() {
                hold.refused = Some(at);
            }
        }
    }

    async fn extend(&mut self, grant: &Grant, hold: &mut Hold, outcome: &mut Outcome) {
        let ttl_ms = self.rng.u64(MIN_TTL_MS..=self.max_ttl_ms);
        // As long as there is no answer, the lock may end at the earlier of both times.
        let promised = hold.until;
        hold.until = promised.min(now() + ttl_ms * 1_000);
        let answer = self.api().extend_lock(&grant.key, &grant.token, ttl_ms).await;
        let Some(json) = understood(answer, outcome).await else { return };
        match json["expiresAt"].as_u64() {
            Some(expires_at) => {
                outcome.extended += 1;
                hold.until = expires_at * 1_000;
            }
            // It was over before the answer came.
            None => hold.until = hold.until.min(now()),
        }
    }

    async fn release(&mut self, grant: &Grant, hold: &mut Hold, outcome: &mut Outcome) {
        let asked = now();
        let answer = self.api().release_lock(&grant.key, &grant.token).await;
        let Some(json) = understood(answer, outcome).await else {
            hold.until = hold.until.min(asked);
            return;
        };
        hold.removed = json == json!({"released": true});
        outcome.late += u64::from(!hold.removed);
        // If the lock was still this client's, nobody can have been granted it before the release was asked for, even if
        // the client had given it up.
        hold.until = if hold.removed { asked } else { hold.until.min(asked) };
    }

    fn api(&mut self) -> Api {
        self.apis[self.rng.usize(..self.apis.len())].clone()
    }

    async fn pause(&mut self, max_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..=max_ms))).await;
    }
}

/// The JSON of an answer 200; anything else is counted.
async fn understood(answer: Response, outcome: &mut Outcome) -> Option<Value> {
    let status = answer.status();
    let text = answer.text().await.unwrap();
    match status.as_u16() {
        200 => serde_json::from_str(&text).ok().or_else(|| {
            outcome.failures.push(format!("200 with {text}"));
            None
        }),
        503 => {
            outcome.unavailable += 1;
            None
        }
        _ => {
            outcome.failures.push(format!("{status}: {text}"));
            None
        }
    }
}
