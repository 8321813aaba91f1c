//! One minute: all traffic and all faults at the same time.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;

use super::Soak;
use super::process::{self, Use};
use super::{slow_clients, visitors};
use crate::lock_exclusion::client::{Client, Outcome as LockOutcome, Ttls};
use crate::lock_exclusion::ledger::Moment;
use crate::progress::Progress;
use crate::stale_reads::workload::Outcome;

pub const LENGTH: Duration = Duration::from_secs(60);
/// As many lock clients as in the race in quorum mode.
const LOCK_CLIENTS: u64 = 16;
const MAX_LOCK_TTL_MS: u64 = 120;
const COUNTED: [&str; 6] = ["reads", "writes", "hits", "invalidations", "faults", "slow clients"];

/// What the clients of one minute did and saw.
pub struct Minute {
    pub users: Outcome,
    pub sellers: Outcome,
    pub locks: LockOutcome,
    /// When lock servers were killed and were back.
    pub restarts: Vec<(Moment, Moment)>,
    /// Responses that no visitor should get.
    pub visits: Vec<String>,
    /// The most that the second host used.
    pub most: Use,
    pub progress: Arc<Progress>,
}

impl Soak {
    /// Runs everything for a minute. When it returns, nothing is in progress and nothing is broken.
    pub async fn minute(&mut self, rng: &mut Rng) -> Minute {
        let progress = Progress::lasting(LENGTH, &COUNTED);
        let (apis, seed) = (self.world.apis.clone(), rng.u64(..));
        let mut keys = {
            self.keys = self.keys.next(&progress);
            self.keys.start(&apis, &self.world.origin)
        };
        let mut lock_clients = self.lock_clients(&progress, seed);
        let visitors = tokio::spawn(visitors::visit(apis.clone(), progress.clone(), Rng::with_seed(seed)));
        let addresses = [self.world.app.host.address(), self.world.second.address()];
        let slow = tokio::spawn(slow_clients::come_and_go(addresses, progress.clone(), Rng::with_seed(seed)));
        let sampler = tokio::spawn(process::most(self.world.second.id(), progress.clone()));
        let (users, sellers, restarts) = tokio::join!(
            self.users.workload.race(&apis, &progress, seed),
            // Not the same random addresses as the users.
            self.sellers.workload.race(&apis, &progress, !seed),
            self.faults.strike(&mut self.world, &progress, rng),
        );
        let mut locks = LockOutcome::default();
        while let Some(outcome) = lock_clients.join_next().await {
            locks.merge(ended(outcome));
        }
        while let Some(outcome) = keys.join_next().await {
            ended(outcome);
        }
        ended(slow.await);
        let (visits, most) = (ended(visitors.await), ended(sampler.await));
        Minute { users, sellers, locks, restarts, visits, most, progress }
    }

    fn lock_clients(&self, progress: &Arc<Progress>, seed: u64) -> JoinSet<LockOutcome> {
        let ttls = Ttls::up_to(MAX_LOCK_TTL_MS);
        let client = |number| Client {
            apis: self.world.apis.to_vec(),
            counter: self.counter.clone(),
            rng: Rng::with_seed(seed.wrapping_add(number)),
            ttls: ttls.clone(),
            progress: progress.clone(),
        };
        (0..LOCK_CLIENTS).map(|number| client(number).run()).collect()
    }
}

/// What a task returned. A task that panicked has found a violation.
fn ended<T>(outcome: Result<T, tokio::task::JoinError>) -> T {
    outcome.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
}
