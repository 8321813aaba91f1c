//! Clients that write and read a few resources at the same time, and the record of what they did and saw. The kind of
//! resource is a [`Resource`]: users or sellers.

mod client;
mod sellers;
mod users;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use blackbox::Api;

pub use client::{Client, Found, Outcome, Remembered, View};
pub use sellers::Seller;
pub use users::User;

use crate::progress::Progress;

/// How many deleted resources are still read.
const RECENT: usize = 6;

/// A kind of resource, and how a client writes and reads it. A value identifies one resource.
pub trait Resource: Clone + Send + Sync + 'static {
    /// One of the ways to read such resources.
    type View: View;

    /// Selects what the database has: the keys of the history, and their versions; NULL for what was deleted.
    const STORED: &'static str;

    /// Creates one. One that `stays` is never deleted. `None` if the response is not that it was created.
    fn create(client: &mut Client, name: &str, stays: bool) -> impl Future<Output = Option<Self>> + Send;

    /// Changes something about it.
    fn change(&self, client: &mut Client) -> impl Future<Output = ()> + Send;

    /// Deletes it.
    fn delete(&self, client: &mut Client) -> impl Future<Output = ()> + Send;

    /// Reads one or several of `known`, or what does not exist yet. Takes what it remembers of an earlier read for a
    /// conditional request, or returns what to remember next.
    fn look(
        client: &mut Client,
        known: &[Self],
        remembered: Option<Remembered<Self::View>>,
    ) -> impl Future<Output = Option<Remembered<Self::View>>> + Send;
}

/// A workload whose first resources exist.
pub struct Workload<R> {
    first: Client,
    known: Known<R>,
    seed: u64,
}

impl<R: Resource> Workload<R> {
    /// Creates the `count` resources that stay until the end. Panics if that fails.
    pub async fn prepare(api: &Api, count: usize, seed: u64, progress: &Arc<Progress>) -> Self {
        let mut first = Client::new(api, Instant::now(), progress, seed);
        let known = Known { fixed: count, all: Arc::default() };
        for number in 0..count {
            let created = R::create(&mut first, &format!("fixed-{number}"), true).await;
            known.add(created.unwrap_or_else(|| panic!("{:?}", first.outcome.failures)));
        }
        Self { first, known, seed }
    }

    /// Runs the clients on this host until the race ends.
    pub async fn run(mut self) -> Outcome {
        let (api, progress, seed) = (self.first.api.clone(), self.first.progress(), self.seed);
        let clients = self.clients(&[api], &progress, seed).await;
        let mut outcome = std::mem::take(&mut self.first.outcome);
        outcome.merge(clients);
        outcome
    }

    /// Runs the clients on several hosts, in turns, until this race ends. Only the first host may be killed. Another
    /// race may follow, with the same resources. 502, 503 and 504 are no failures. The outcome of the first race
    /// also contains what [`Workload::prepare`] did.
    pub async fn race(&mut self, apis: &[Api], progress: &Arc<Progress>, seed: u64) -> Outcome {
        self.first.allows_outages = true;
        let mut outcome = std::mem::take(&mut self.first.outcome);
        outcome.merge(self.clients(apis, progress, seed).await);
        outcome
    }

    /// Two clients that update, one that creates and deletes other resources, and four that read.
    async fn clients(&self, apis: &[Api], progress: &Arc<Progress>, seed: u64) -> Outcome {
        let clients = (1..=7).map(|number| {
            let api = &apis[number % apis.len()];
            let mut client = self.first.another(api, progress, seed.wrapping_add(number as u64));
            client.expects_responses = number % apis.len() > 0;
            let known = self.known.clone();
            tokio::spawn(async move {
                match number {
                    1 | 2 => update(client, known).await,
                    3 => come_and_go(client, known).await,
                    _ => watch(client, known).await,
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut outcome = Outcome::default();
        for client in clients {
            outcome.merge(client.await.expect("a client does not panic"));
        }
        outcome
    }
}

async fn update<R: Resource>(mut client: Client, known: Known<R>) -> Outcome {
    while client.goes_on().await {
        known.all()[client.rng.usize(..known.fixed)].change(&mut client).await;
    }
    client.outcome
}

async fn come_and_go<R: Resource>(mut client: Client, known: Known<R>) -> Outcome {
    let mut number = 0;
    while client.goes_on().await {
        number += 1;
        let Some(guest) = R::create(&mut client, &format!("guest-{number}"), false).await else { continue };
        known.add(guest.clone());
        for _ in 0..client.rng.usize(..4) {
            client.goes_on().await;
            guest.change(&mut client).await;
        }
        guest.delete(&mut client).await;
    }
    client.outcome
}

async fn watch<R: Resource>(mut client: Client, known: Known<R>) -> Outcome {
    let mut remembered = None;
    while client.goes_on().await {
        remembered = R::look(&mut client, &known.all(), remembered).await;
    }
    client.outcome
}

/// What has been created: first what stays, then the latest of the others.
#[derive(Debug)]
struct Known<R> {
    fixed: usize,
    all: Arc<Mutex<Vec<R>>>,
}

impl<R: Clone> Known<R> {
    fn add(&self, one: R) {
        let mut all = self.all.lock().expect("no holder panics");
        all.push(one);
        if all.len() > self.fixed + RECENT {
            all.remove(self.fixed);
        }
    }

    fn all(&self) -> Vec<R> {
        self.all.lock().expect("no holder panics").clone()
    }
}

impl<R> Clone for Known<R> {
    fn clone(&self) -> Self {
        Self { fixed: self.fixed, all: self.all.clone() }
    }
}
