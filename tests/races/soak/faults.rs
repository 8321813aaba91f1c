//! What breaks, at random: every fault of the other races.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::world::World;
use crate::lock_exclusion::client::now;
use crate::lock_exclusion::ledger::Moment;
use crate::progress::Progress;

/// The longest time between two faults.
const PAUSE_MS: u64 = 3_000;
/// The longest time that a store is down or hangs: shorter than the deadlines of the application.
const DOWN_MS: u64 = 1_500;

type Restart = Option<(Moment, Moment)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    HostKilled,
    RedisHangs,
    RedisRestartedEmpty,
    AllKeysDeleted,
    KeysEvicted,
    PostgresHangs,
    PostgresKilled,
    PostgresRestarted,
    LockServerHangs,
    LockServerRestartedEmpty,
}

const ALL: [Fault; 10] = [
    Fault::HostKilled,
    Fault::RedisHangs,
    Fault::RedisRestartedEmpty,
    Fault::AllKeysDeleted,
    Fault::KeysEvicted,
    Fault::PostgresHangs,
    Fault::PostgresKilled,
    Fault::PostgresRestarted,
    Fault::LockServerHangs,
    Fault::LockServerRestartedEmpty,
];

/// How often each fault has happened.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<Fault, u64>);

impl Faults {
    pub fn new() -> Self {
        Self::default()
    }

    /// The faults so far.
    pub fn summary(&self) -> String {
        let count = |(fault, count): (&Fault, &u64)| format!("{fault:?} {count}");
        self.0.iter().map(count).collect::<Vec<_>>().join(", ")
    }

    /// Breaks one thing after the other, and repairs each, until the minute ends. Returns when lock servers lost their
    /// data.
    pub async fn strike(&mut self, world: &mut World, progress: &Progress, rng: &mut Rng) -> Vec<(Moment, Moment)> {
        let mut restarts = Vec::new();
        while progress.goes_on() {
            tokio::time::sleep(Duration::from_millis(rng.u64(..PAUSE_MS))).await;
            let fault = ALL[rng.usize(..ALL.len())];
            restarts.extend(fault.strike(world, rng).await);
            *self.0.entry(fault).or_default() += 1;
            progress.count("faults", 1);
            progress.happens_again("hits").await;
        }
        restarts
    }
}

impl Fault {
    async fn strike(self, world: &mut World, rng: &mut Rng) -> Restart {
        let down = Duration::from_millis(rng.u64(..DOWN_MS));
        let lock_server = rng.usize(..world.lock_servers.len());
        match self {
            Self::HostKilled => {
                world.app.kill_host().await;
                tokio::time::sleep(down).await;
                world.app.restart_host().await;
            }
            Self::RedisHangs => {
                world.app.redis.pause();
                tokio::time::sleep(down).await;
                world.app.redis.resume();
            }
            Self::RedisRestartedEmpty => {
                world.app.redis.kill().await.unwrap();
                tokio::time::sleep(down).await;
                world.app.redis.restart().await.unwrap();
            }
            Self::AllKeysDeleted => world.app.redis.run(&["FLUSHALL"]).await,
            Self::KeysEvicted => {
                // As `allkeys-lru` does: any key, also versions, generations, registries and marks.
                for _ in 0..rng.usize(1..40) {
                    let key: Option<String> = world.app.redis.ask(&["RANDOMKEY"]).await;
                    world.app.redis.run(&["DEL", &key.unwrap_or_default()]).await;
                }
            }
            Self::PostgresHangs => {
                world.app.postgres().pause();
                tokio::time::sleep(down).await;
                world.app.postgres().resume();
            }
            Self::PostgresKilled => {
                world.app.postgres().kill().await.unwrap();
                tokio::time::sleep(down).await;
                world.app.postgres().restart().await.unwrap();
            }
            Self::PostgresRestarted => world.app.postgres().restart().await.unwrap(),
            Self::LockServerHangs => {
                world.lock_servers[lock_server].pause();
                tokio::time::sleep(down).await;
                world.lock_servers[lock_server].resume();
            }
            Self::LockServerRestartedEmpty => {
                let killed = now();
                world.lock_servers[lock_server].kill().await.unwrap();
                tokio::time::sleep(down).await;
                world.lock_servers[lock_server].restart().await.unwrap();
                return Some((killed, now()));
            }
        }
        None
    }
}
