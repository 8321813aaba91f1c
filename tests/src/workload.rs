//! Concurrent writers and readers over a few users, and the record of what they did and saw.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::Api;
use crate::history::{History, Moment, Read};

/// How many ids that were created and deleted since are still read.
const RECENT: usize = 6;
/// The largest pause between two requests of one client, in milliseconds: several workloads share a machine.
const PAUSE_MS: u64 = 4;

/// What a workload did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Everything that was read and acknowledged.
    pub history: History,
    /// Requests that were answered.
    pub answers: u64,
    /// Answers that the cache gave, by `Cache-Status`.
    pub hits: u64,
    /// Requests without an answer: the connection was refused or broke.
    pub unanswered: u64,
    /// Answers that no client should get, such as a 500.
    pub failures: Vec<String>,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        self.history.merge(other.history);
        self.answers += other.answers;
        self.hits += other.hits;
        self.unanswered += other.unanswered;
        self.failures.extend(other.failures);
    }
}

/// A workload whose first users are there.
pub struct Workload {
    first: Client,
    seed: u64,
}

impl Workload {
    /// Creates the `users` users that live from the beginning to `end`, before anything goes wrong. Panics if it cannot.
    pub async fn prepare(api: &Api, users: usize, seed: u64, end: Instant) -> Self {
        let known = Known { fixed: users, ids: Arc::default() };
        let mut first = Client::new(api, Instant::now(), end, known, seed);
        for number in 0..users {
            first.create(&format!("fixed-{number}")).await.unwrap_or_else(|| panic!("{:?}", first.outcome.failures));
        }
        Self { first, seed }
    }

    /// Runs two updaters, one client that creates and deletes other users, and four readers until the end.
    pub async fn run(self) -> Outcome {
        let Self { first, seed } = self;
        let clients = (1..=7).map(|number| {
            let client =
                Client::new(&first.api, first.origin, first.end, first.known.clone(), seed.wrapping_add(number));
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

/// The ids that have been created: first those that live on, then the latest of the others.
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
    end: Instant,
    known: Known,
    rng: Rng,
    outcome: Outcome,
}

impl Client {
    fn new(api: &Api, origin: Instant, end: Instant, known: Known, seed: u64) -> Self {
        let outcome = Outcome::default();
        Self { api: api.clone(), origin, end, known, rng: Rng::with_seed(seed), outcome }
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
                    // Not there yet: this caches its absence, which its creation has to end.
                    let next = ids[ids.len() - 1] + self.rng.i64(1..3);
                    self.get(next, None).await;
                }
                (5..8, Some(known)) => remembered = self.get(known.0, Some(known.clone())).await,
                _ => remembered = self.get(id, None).await,
            }
        }
        self.outcome
    }

    /// Waits a little; false once it is time to stop.
    async fn goes_on(&mut self) -> bool {
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..PAUSE_MS))).await;
        Instant::now() < self.end
    }

    fn now(&self) -> Moment {
        Moment::try_from(self.origin.elapsed().as_nanos()).expect("2^64 ns are 584 years")
    }

    async fn create(&mut self, name: &str) -> Option<i64> {
        // Two workloads may share a database, and a create without an answer may have happened.
        let email = format!("{name}-{:x}@example.org", self.rng.u64(..));
        let body = json!({"name": name, "email": email});
        let (status, _, user) = self.send(Method::POST, "/users", Some(body), None).await?;
        self.expect(status, &[StatusCode::CREATED], "POST", &user)?;
        let (id, version) = identity(&user)?;
        self.outcome.history.acknowledge(id, version, self.now());
        self.known.add(id);
        Some(id)
    }

    async fn rename(&mut self, id: i64) {
        let body = json!({"name": format!("name-{:x}", self.rng.u32(..))});
        let Some((status, _, user)) = self.send(Method::PUT, &format!("/users/{id}"), Some(body), None).await else {
            return;
        };
        let end = self.now();
        self.expect(status, &[StatusCode::OK], "PUT", &user);
        if let Some((id, version)) = identity(&user) {
            self.outcome.history.acknowledge(id, version, end);
        }
    }

    async fn delete(&mut self, id: i64) {
        self.outcome.history.begin_deletion(id, self.now());
        let answer = self.send(Method::DELETE, &format!("/users/{id}"), None, None).await;
        let Some((status, _, body)) = answer else { return };
        let end = self.now();
        if self.expect(status, &[StatusCode::NO_CONTENT], "DELETE", &body).is_some() {
            self.outcome.history.acknowledge_deletion(id, end);
        }
    }

    /// Reads one user, with If-None-Match if an entity tag is remembered; returns what to remember.
    async fn get(&mut self, id: i64, known: Option<(i64, u64, String)>) -> Option<(i64, u64, String)> {
        let start = self.now();
        let etag = known.as_ref().map(|(_, _, etag)| etag.as_str());
        let (status, etag, user) = self.send(Method::GET, &format!("/users/{id}"), None, etag).await?;
        let end = self.now();
        let mut allowed = vec![StatusCode::OK, StatusCode::NOT_FOUND];
        allowed.extend(known.is_some().then_some(StatusCode::NOT_MODIFIED));
        self.expect(status, &allowed, "GET", &user)?;
        let version = match status {
            StatusCode::NOT_FOUND => None,
            StatusCode::NOT_MODIFIED => known.as_ref().map(|(_, version, _)| *version),
            _ => Some(identity(&user)?.1),
        };
        self.outcome.history.read(Read { key: id, start, end, version });
        if status == StatusCode::NOT_MODIFIED { known } else { Some((id, version?, etag?)) }
    }

    /// Reads several users at once: each of `ids` counts as one read.
    async fn list(&mut self, query: &str, ids: &[i64]) {
        let start = self.now();
        let Some((status, _, users)) = self.send(Method::GET, &format!("/users{query}"), None, None).await else {
            return;
        };
        let end = self.now();
        let Some(users) = self.expect(status, &[StatusCode::OK], "GET", &users).and(users.as_array()) else { return };
        let found: Vec<(i64, u64)> = users.iter().filter_map(identity).collect();
        for key in ids {
            let version = found.iter().find(|(id, _)| id == key).map(|(_, version)| *version);
            self.outcome.history.read(Read { key: *key, start, end, version });
        }
    }

    /// Sends one request: status, entity tag and body of the answer. `None` if none came.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
        unless: Option<&str>,
    ) -> Option<(StatusCode, Option<String>, Value)> {
        let mut request = self.api.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(etag) = unless {
            request = request.header("if-none-match", etag);
        }
        match received(request.send().await).await {
            Ok((status, headers, body)) => {
                let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
                self.outcome.answers += 1;
                // RFC 9211: a member `hit` of the cache's own parameters.
                let hit =
                    header("cache-status").is_some_and(|status| status.split(';').any(|part| part.trim() == "hit"));
                self.outcome.hits += u64::from(hit);
                Some((status, header("etag").map(str::to_owned), body))
            }
            Err(_) => {
                self.outcome.unanswered += 1;
                // The host is gone: do not spin until it is back.
                tokio::time::sleep(Duration::from_millis(10)).await;
                None
            }
        }
    }

    fn expect(&mut self, status: StatusCode, allowed: &[StatusCode], what: &str, body: &Value) -> Option<()> {
        if allowed.contains(&status) {
            return Some(());
        }
        self.outcome.failures.push(format!("{what} answered {status}: {body}"));
        None
    }
}

async fn received(
    answer: Result<Response, reqwest::Error>,
) -> Result<(StatusCode, reqwest::header::HeaderMap, Value), reqwest::Error> {
    let answer = answer?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    // A body cut short is no answer; an empty one is none of the JSON values.
    let body = answer.bytes().await?;
    Ok((status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn identity(user: &Value) -> Option<(i64, u64)> {
    Some((user["id"].as_i64()?, user["version"].as_u64()?))
}
