//! The soak: all kinds of traffic on two hosts that share their servers, for any number of minutes. Meanwhile, every
//! fault of the other races happens at random times, and there are always clients that are slow or that disconnect.
//! `cargo xtask soak --minutes 20` runs it.
//!
//! After each minute the clients stop, and [`judge`](Soak::judge) checks what they saw and what is stored:
//!
//! - no read of a user, a seller or a cache key is stale, also if its write was acknowledged minutes ago;
//! - no lock has two holders, except after a lock server has lost its data; fencing tokens always increase;
//! - every write that was acknowledged is in the database;
//! - no response is a 500, and users and sellers get every response of the host that is never killed;
//! - the memory and the descriptors of that host stay within [`Limits`](process::Limits), and do not grow without end.
//!
//! A failure prints the seed. It repeats the choices of clients and faults, not the timing of the servers.

mod acknowledged;
mod faults;
mod minute;
mod process;
mod slow_clients;
mod visitors;
mod world;

use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use tokio_postgres::Client;

use self::acknowledged::expect_stored;
use self::faults::Faults;
use self::minute::Minute;
use self::process::Growth;
use self::world::World;
use super::lock_exclusion::counter::Counter;
use super::lock_exclusion::ledger::{Hold, Ledger};
use super::stale_reads::cache::Race;
use super::stale_reads::history::History;
use super::stale_reads::workload::{Resource, Seller, User, Workload};
use crate::progress::Progress;

/// How many users and how many sellers exist all the time. There are many, because a write whose host is killed keeps
/// its user or seller out of the cache for half a minute.
const STAY: usize = 24;

/// What lasts from minute to minute.
struct Soak {
    world: World,
    users: Judged<User>,
    sellers: Judged<Seller>,
    keys: Arc<Race>,
    counter: Arc<Counter>,
    /// The grant with the highest fencing token so far.
    highest: Option<Hold>,
    faults: Faults,
    growth: Growth,
}

/// Resources, and what their clients saw.
struct Judged<R> {
    workload: Workload<R>,
    history: History,
}

impl<R: Resource> Judged<R> {
    async fn new(world: &World, seed: u64, progress: &Arc<Progress>) -> Self {
        let workload = Workload::prepare(&world.app.api, STAY, seed, progress).await;
        Self { workload, history: History::default() }
    }

    /// Checks the reads since the last time, and what the database has.
    async fn judge(&mut self, database: &Client) -> usize {
        let violations = self.history.violations();
        assert!(violations.is_empty(), "{} stale reads, the first: {:#?}", violations.len(), violations[0]);
        let reads = self.history.reads();
        self.history.forget();
        expect_stored::<R>(database, &self.history).await;
        reads
    }
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let world = World::start(seed).await;
        let progress = Progress::lasting(minute::LENGTH, &[]);
        Self {
            users: Judged::new(&world, seed, &progress).await,
            sellers: Judged::new(&world, !seed, &progress).await,
            keys: Race::new(&progress),
            counter: Arc::default(),
            highest: None,
            faults: Faults::new(),
            growth: Growth::default(),
            world,
        }
    }

    /// Judges what the clients of one minute saw. Nothing must be in progress.
    async fn judge(&mut self, minute: Minute) {
        let Minute { users, sellers, locks, restarts, visits, .. } = minute;
        for (what, failures) in [
            ("users", &users.failures),
            ("sellers", &sellers.failures),
            ("locks", &locks.failures),
            ("visits", &visits),
        ] {
            assert!(failures.is_empty(), "{} failures, {what}, the first: {}", failures.len(), failures[0]);
        }
        self.users.history.merge(users.history);
        self.sellers.history.merge(sellers.history);
        // The application's role is no superuser, as `App::db` needs.
        let database = self.world.app.postgres().cluster().connect().await.unwrap();
        let reads = self.users.judge(&database).await + self.sellers.judge(&database).await;

        let grants = locks.holds.len();
        let mut ledger = Ledger { holds: locks.holds, restarts };
        ledger.holds.extend(self.highest);
        let (violations, _) = ledger.check();
        assert!(violations.is_empty(), "{} violations of locks, the first: {:#?}", violations.len(), violations[0]);
        self.highest = ledger.holds.into_iter().max_by_key(|hold| hold.fence);
        let counter = self.counter.state();
        assert_eq!(counter.value, counter.writes, "increments were lost");

        self.world.expect_no_internal_error();
        let quiet = process::Use::of(self.world.second.id());
        self.growth.judge(quiet, minute.most);
        println!(
            "  {} reads ({reads} of users and sellers), {} writes, {} invalidations, {grants} locks; {} responses \
             from the cache, {} of outages, {} without a response; {} slow clients; memory {} MiB, at most {} MiB; {} \
             descriptors, at most {}",
            minute.progress.counted("reads"),
            minute.progress.counted("writes"),
            minute.progress.counted("invalidations"),
            minute.progress.counted("hits"),
            users.unavailable + sellers.unavailable + locks.unavailable,
            users.unanswered + sellers.unanswered + locks.unanswered,
            minute.progress.counted("slow clients"),
            quiet.memory_mib,
            minute.most.memory_mib,
            quiet.descriptors,
            minute.most.descriptors,
        );
    }
}

/// Says how to repeat a soak that failed.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("violated; to repeat the choices: cargo xtask soak --seed {}", self.0);
        }
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes as long as wanted: `cargo xtask soak`"]
async fn soak() {
    let minutes = from_environment("TUMBLER_SOAK_MINUTES").unwrap_or(1);
    let seed = from_environment("TUMBLER_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let _repeat = Repeat(seed);
    let mut rng = Rng::with_seed(seed);
    let mut soak = Soak::start(seed).await;
    let start = Instant::now();
    for number in 1..=minutes {
        let minute = soak.minute(&mut rng).await;
        println!("minute {number} of {minutes}: {}", soak.faults.summary());
        soak.judge(minute).await;
    }
    println!("nothing was violated in {} s; seed {seed}", start.elapsed().as_secs());
}
