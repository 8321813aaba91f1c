//! Clients that write and read a few users at the same time, and the record of what they did and saw.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blackbox::{Api, Request};
use fastrand::Rng;
use serde_json::{Value, json};

use super::history::{History, Moment, Read};
use crate::progress::Progress;

/// How many ids of deleted users are still read.
const RECENT: usize = 6;
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
    /// Responses that no client should get, such as a 500.
    pub failures: Vec<String>,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        self.history.merge(other.history);
        self.responses += other.responses;
        self.hits += other.hits;
        self.unanswered += other.unanswered;
        self.failures.extend(other.failures);
    }
}

/// A workload whose first users exist.
pub struct Workload {
    first: Client,
    seed: u64,
}

impl Workload {
    /// Creates the `users` users that stay until the end. Panics if that fails.
    pub async fn prepare(api: &Api, users: usize, seed: u64, progress: &Arc<Progress>) -> Self {
        let known = Known { fixed: users, ids: Arc::default() };
        let mut first = Client::new(api, Instant::now(), progress, known, seed);
        for number in 0..users {
            first.create(&format!("fixed-{number}")).await.unwrap_or_else(|| panic!("{:?}", first.outcome.failures));
        }
        Self { first, seed }
    }

    /// Runs two clients that update, one that creates and deletes other users, and four that read, until the race ends.
    pub async fn run(self) -> Outcome {
        let Self { first, seed } = self;
        let clients = (1..=7).map(|number| {
            let seed = seed.wrapping_add(number);
            let client = Client::new(&first.api, first.origin, &first.progress, first.known.clone(), seed);
            tokio::spawn(async move {
                match number {
                    1 | 2 => client.update().await,
                    3 => client.come_and_go().await,
                    _ => client.watch().await,
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut outcome = first.outcome;
        for client in clients {
            outcome.merge(client.await.expect("a client does not panic"));
        }
        outcome
    }
}

/// The ids that have been created: first those of the users that stay, then the latest of the others.
#[derive(Clone, Debug)]
struct Known {
    fixed: usize,
    ids: Arc<Mutex<Vec<i64>>>,
}

impl Known {
    fn add(&self, id: i64) {
        let mut ids = self.ids.lock().expect("no holder panics");
        ids.push(id);
        if ids.len() > self.fixed + RECENT {
            ids.remove(self.fixed);
        }
    }

    fn all(&self) -> Vec<i64> {
        self.ids.lock().expect("no holder panics").clone()
    }
}

struct Client {
    api: Api,
    origin: Instant,
    progress: Arc<Progress>,
    known: Known,
    rng: Rng,
    outcome: Outcome,
}

impl Client {
    fn new(api: &Api, origin: Instant, progress: &Arc<Progress>, known: Known, seed: u64) -> Self {
        let (api, progress, outcome) = (api.clone(), progress.clone(), Outcome::default());
        Self { api, origin, progress, known, rng: Rng::with_seed(seed), outcome }
    }

    async fn update(mut self) -> Outcome {
        while self.goes_on().await {
            let id = self.known.all()[self.rng.usize(..self.known.fixed)];
            self.rename(id).await;
        }
        self.outcome
    }

    async fn come_and_go(mut self) -> Outcome {
        let mut number = 0;
        while self.goes_on().await {
            number += 1;
            let Some(id) = self.create(&format!("guest-{number}")).await else { continue };
            for _ in 0..self.rng.usize(..4) {
                self.goes_on().await;
                self.rename(id).await;
            }
            self.delete(id).await;
        }
        self.outcome
    }

    async fn watch(mut self) -> Outcome {
        let mut remembered: Option<(i64, u64, String)> = None;
        while self.goes_on().await {
            let ids = self.known.all();
            let id = ids[self.rng.usize(..ids.len())];
            match (self.rng.u8(..20), remembered.take()) {
                (0..3, _) => self.list("", &ids).await,
                (3, _) => {
                    let query: Vec<String> = ids.iter().map(i64::to_string).collect();
                    self.list(&format!("?ids={}", query.join(",")), &ids).await;
                }
                (4, _) => {
                    // Not created yet: this caches the absence, which the creation has to outdate.
                    let next = ids[ids.len() - 1] + self.rng.i64(1..3);
                    self.get(next, None).await;
                }
                (5..8, Some(known)) => remembered = self.get(known.0, Some(known.clone())).await,
                _ => remembered = self.get(id, None).await,
            }
        }
        self.outcome
    }

    /// Waits a little; false when the race has ended.
    async fn goes_on(&mut self) -> bool {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..PAUSE_MS))).await;
        self.progress.goes_on()
    }

    fn now(&self) -> Moment {
        Moment::try_from(self.origin.elapsed().as_nanos()).expect("2^64 ns are 584 years")
    }

    async fn create(&mut self, name: &str) -> Option<i64> {
        // A creation without a response may have happened, so no address is used twice.
        let email = format!("{name}-{:x}@example.org", self.rng.u64(..));
        let body = json!({"name": name, "email": email});
        let (status, _, user) = self.send(self.api.post("/users").json(body)).await?;
        self.expect(status, &[201], "POST", &user)?;
        let (id, version) = identity(&user)?;
        self.acknowledge(id, version, self.now());
        self.known.add(id);
        Some(id)
    }

    async fn rename(&mut self, id: i64) {
        let body = json!({"name": format!("name-{:x}", self.rng.u32(..))});
        let Some((status, _, user)) = self.send(self.api.put(format!("/users/{id}")).json(body)).await else { return };
        let end = self.now();
        self.expect(status, &[200], "PUT", &user);
        if let Some((id, version)) = identity(&user) {
            self.acknowledge(id, version, end);
        }
    }

    async fn delete(&mut self, id: i64) {
        self.outcome.history.begin_deletion(id, self.now());
        let Some((status, _, body)) = self.send(self.api.delete(format!("/users/{id}"))).await else { return };
        let end = self.now();
        if self.expect(status, &[204], "DELETE", &body).is_some() {
            self.outcome.history.acknowledge_deletion(id, end);
            self.progress.count("writes", 1);
        }
    }

    /// Reads one user, with If-None-Match if an entity tag is remembered; returns what to remember next.
    async fn get(&mut self, id: i64, known: Option<(i64, u64, String)>) -> Option<(i64, u64, String)> {
        let start = self.now();
        let mut request = self.api.get(format!("/users/{id}"));
        if let Some((_, _, etag)) = &known {
            request = request.header("if-none-match", etag);
        }
        let (status, etag, user) = self.send(request).await?;
        let end = self.now();
        let allowed: &[u16] = if known.is_some() { &[200, 404, 304] } else { &[200, 404] };
        self.expect(status, allowed, "GET", &user)?;
        let version = match status {
            404 => None,
            304 => known.as_ref().map(|(_, version, _)| *version),
            _ => Some(identity(&user)?.1),
        };
        self.read(Read { key: id, start, end, version });
        if status == 304 { known } else { Some((id, version?, etag)) }
    }

    /// Reads several users at once: each of `ids` counts as one read.
    async fn list(&mut self, query: &str, ids: &[i64]) {
        let start = self.now();
        let Some((status, _, users)) = self.send(self.api.get(format!("/users{query}"))).await else { return };
        let end = self.now();
        let Some(users) = self.expect(status, &[200], "GET", &users).and(users.as_array()) else { return };
        let found: Vec<(i64, u64)> = users.iter().filter_map(identity).collect();
        for key in ids {
            let version = found.iter().find(|(id, _)| id == key).map(|(_, version)| *version);
            self.read(Read { key: *key, start, end, version });
        }
    }

    fn read(&mut self, read: Read) {
        self.outcome.history.read(read);
        self.progress.count("reads", 1);
    }

    fn acknowledge(&mut self, id: i64, version: u64, end: Moment) {
        self.outcome.history.acknowledge(id, version, end);
        self.progress.count("writes", 1);
    }

    /// Sends one request. Returns status, entity tag and body of the response, or `None` if none arrives.
    async fn send(&mut self, request: Request) -> Option<(u16, String, Value)> {
        let Ok(response) = request.send().await else {
            self.outcome.unanswered += 1;
            // The host is down.
            tokio::time::sleep(Duration::from_millis(10)).await;
            return None;
        };
        self.outcome.responses += 1;
        self.outcome.hits += u64::from(response.is_hit());
        self.progress.count("hits", usize::from(response.is_hit()));
        // An empty body is not JSON.
        let body = serde_json::from_str(response.text()).unwrap_or(Value::Null);
        Some((response.status(), response.header("etag").to_owned(), body))
    }

    fn expect(&mut self, status: u16, allowed: &[u16], what: &str, body: &Value) -> Option<()> {
        if allowed.contains(&status) {
            return Some(());
        }
        self.outcome.failures.push(format!("{what}: {status} {body}"));
        None
    }
}

fn identity(user: &Value) -> Option<(i64, u64)> {
    Some((user["id"].as_i64()?, user["version"].as_u64()?))
}
