//! The ports of the crate over the simulated world.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use interleavings::{ConnectionId, wait};
use ports::{Arg, RedisError, Reply};

use crate::step::{ServerReply, Step, text};
use crate::tasks::Task;
use crate::weakness::Weakness;
use crate::world::{START_MS, Shared};

/// How long the crate waits for stragglers. Longer sleeps are deadlines.
const STRAGGLERS_MS: u64 = 10;

/// The port to one of the simulated servers.
pub struct SimRedis {
    world: Shared,
    server: usize,
    /// For [`Weakness::NumberBeforeLock`]: the number drawn too early.
    early: Cell<Option<Reply>>,
}

impl SimRedis {
    pub fn new(world: &Shared, server: usize) -> Self {
        Self { world: world.clone(), server, early: Cell::default() }
    }
}

/// A dedicated connection. Dropping it ends its transaction.
pub struct SimConnection {
    world: Shared,
    server: usize,
    id: ConnectionId,
}

async fn run(
    world: &Shared,
    server: usize,
    connection: Option<ConnectionId>,
    command: &str,
    args: Vec<Arg>,
) -> Result<Vec<Reply>, RedisError> {
    let args = args.into_iter().map(text).collect();
    match wait(world, Step { server, connection, command: command.to_owned(), args }).await {
        ServerReply::Refused(why) => Err(RedisError::Refused(why.to_owned())),
        reply => Ok(reply.flat()),
    }
}

impl ports::Redis for SimRedis {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        let weakness = self.world.borrow().rules.weakness;
        if weakness != Some(Weakness::NumberBeforeLock) {
            return run(&self.world, self.server, None, command, args).await;
        }
        if command == "INCRBY" {
            return Ok(vec![self.early.take().expect("SET came first")]);
        }
        if command == "SET" && args.contains(&Arg::from("NX")) {
            let drawn = run(&self.world, self.server, None, "INCRBY", vec!["fencing:r".into(), 1_i64.into()]).await?;
            self.early.set(drawn.into_iter().next());
        }
        run(&self.world, self.server, None, command, args).await
    }

    fn reconnect(&self) {}
}

impl ports::Connect for SimRedis {
    type Connection = SimConnection;

    async fn connect(&self) -> Result<SimConnection, RedisError> {
        let mut world = self.world.borrow_mut();
        let task = world.steps.current;
        world.connections[task] += 1;
        let id = (task, world.connections[task]);
        drop(world);
        Ok(SimConnection { world: self.world.clone(), server: self.server, id })
    }
}

impl ports::Connection for SimConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        run(&self.world, self.server, Some(self.id), command, args).await
    }
}

impl Drop for SimConnection {
    fn drop(&mut self) {
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.servers[self.server].transactions.close(self.id);
        }
    }
}

/// The simulated clock, and the background work of a task.
pub struct SimRuntime(pub Shared, pub Rc<RefCell<Vec<Task>>>);

impl ports::Runtime for SimRuntime {
    fn unix_ms(&self) -> u64 {
        self.0.borrow_mut().read_clock()
    }

    fn monotonic_ms(&self) -> u64 {
        let mut world = self.0.borrow_mut();
        if world.rules.weakness == Some(Weakness::TtlIgnored) { 0 } else { world.read_clock() - START_MS }
    }

    /// Different for each task and call.
    fn random_u64(&self) -> u64 {
        let mut world = self.0.borrow_mut();
        let task = world.steps.current;
        world.drawn[task] += 1;
        task as u64 * 64 + world.drawn[task]
    }

    /// A deadline never ends, because Redis always replies before. The wait for stragglers ends at any time that the
    /// search chooses, before or after any reply. Neither advances the clock.
    async fn sleep(&self, ms: u64) {
        if ms > STRAGGLERS_MS {
            std::future::pending::<()>().await;
        }
        wait(&self.0, Step { server: 0, connection: None, command: "(stragglers)".to_owned(), args: vec![] }).await;
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.1.borrow_mut().push(Box::pin(work));
    }
}
