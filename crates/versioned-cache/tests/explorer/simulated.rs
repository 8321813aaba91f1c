//! The crate's ports over the simulated world.

use std::future::Future;
use std::rc::Rc;

use interleavings::{ConnectionId, wait};
use ports::{Arg, RedisError, Reply};

use crate::step::{Outcome, Step};
use crate::weakness::Weakness;
use crate::world::{START_MS, Shared};

/// A sleep this long is a deadline. It never ends here, because the simulated Redis always replies in time.
const DEADLINE_MS: u64 = 100;

/// The port to the simulated Redis.
pub struct SimRedis(pub Shared);

impl ports::Redis for SimRedis {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        run(&self.0, Step::Redis(command.to_owned(), args)).await
    }

    fn reconnect(&self) {}
}

async fn run(world: &Shared, step: Step) -> Result<Vec<Reply>, RedisError> {
    match wait(world, step).await {
        Outcome::Redis(replies) => Ok(replies),
        Outcome::Refused => Err(RedisError::Refused("ERR no such key".into())),
        Outcome::Lost => Err(RedisError::Unreachable("lost".into())),
        other => panic!("{other:?} is no reply"),
    }
}

/// A dedicated connection. Its transaction ends when it is dropped.
pub struct SimConnection(Shared, ConnectionId);

impl ports::Connect for SimRedis {
    type Connection = SimConnection;

    async fn connect(&self) -> Result<SimConnection, RedisError> {
        let mut world = self.0.borrow_mut();
        let task = world.steps.current;
        world.connections[task] += 1;
        let id = (task, world.connections[task]);
        Ok(SimConnection(Rc::clone(&self.0), id))
    }
}

impl ports::Connection for SimConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        run(&self.0, Step::OnDedicated(self.1, command.to_owned(), args)).await
    }
}

impl Drop for SimConnection {
    fn drop(&mut self) {
        if let Ok(mut world) = self.0.try_borrow_mut() {
            world.redis.transactions.close(self.1);
        }
    }
}

/// The port to the simulated clock. Spawned work never runs, unless its task runs it. The protocol allows that.
pub struct SimRuntime(pub Shared);

impl ports::Runtime for SimRuntime {
    fn unix_ms(&self) -> u64 {
        let mut world = self.0.borrow_mut();
        world.footprint.reads("clock");
        world.now_ms
    }

    fn monotonic_ms(&self) -> u64 {
        self.unix_ms() - START_MS
    }

    /// Different for each task and draw, and so far apart that no number of INCRs leads from one to the next.
    fn random_u64(&self) -> u64 {
        let mut world = self.0.borrow_mut();
        if let Some(Weakness::VersionsComeBack) = world.rules.weakness {
            return 0;
        }
        let task = world.steps.current;
        world.drawn[task] += 1;
        (task as u64 * 64 + world.drawn[task]) * 64
    }

    async fn sleep(&self, ms: u64) {
        if ms >= DEADLINE_MS {
            std::future::pending::<()>().await;
        }
        wait(&self.0, Step::Sleep(ms)).await;
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let mut world = self.0.borrow_mut();
        let task = world.steps.current;
        if let Some(spawned) = world.spawned.get_mut(&task) {
            spawned.push(Box::pin(work));
        }
    }
}
