//! The ports of the crate over the simulated world, with the weaknesses.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use interleavings::{ConnectionId, wait};
use ports::{Arg, RedisError, Reply};

use crate::step::{ServerReply, Step, text};
use crate::tasks::Task;
use crate::weakness::Weakness;
use crate::world::{START_MS, Shared};

/// The port to the simulated server.
pub struct SimRedis(pub Shared);

/// A dedicated connection. Dropping it ends its transaction.
pub struct SimConnection {
    world: Shared,
    id: ConnectionId,
    /// For [`Weakness::PexpireBeforeZadd`]: the ZADD that waits for PEXPIRE.
    held_back: Cell<Option<Vec<Arg>>>,
}

async fn run(
    world: &Shared,
    connection: Option<ConnectionId>,
    command: &str,
    args: Vec<Arg>,
) -> Result<Vec<Reply>, RedisError> {
    let args = args.into_iter().map(text).collect();
    match wait(world, Step { connection, command: command.to_owned(), args }).await {
        ServerReply::Refused(why) => Err(RedisError::Refused(why.to_owned())),
        ServerReply::Lost => Err(RedisError::Unreachable("lost".to_owned())),
        reply => Ok(reply.flat()),
    }
}

impl ports::Redis for SimRedis {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        let weakness = self.0.borrow().rules.weakness;
        let send = async |command: &str, args: Vec<Arg>| run(&self.0, None, command, args).await;
        let is = |position: usize, number: fn(i64) -> bool| matches!(args.get(position), Some(Arg::Int(found)) if number(*found));
        let (counts, subtracts) = match command {
            "ZADD" => (is(3, |by| by > 0), is(3, |by| by < 0)),
            "INCREX" => (is(2, |by| by > 0), is(2, |by| by < 0)),
            _ => (false, false),
        };
        let without_xx = || args.iter().filter(|arg| **arg != "XX".into()).cloned().collect::<Vec<_>>();
        match weakness {
            Some(Weakness::IncrThenPexpire) if counts => {
                let replies = send("ZADD", without_xx()).await?;
                if replies.first().and_then(Reply::as_int) == Some(1) {
                    send("PEXPIRE", vec![args[0].clone(), 3_000_i64.into()]).await?;
                }
                Ok(replies)
            }
            Some(Weakness::CountedWithoutXx) if counts => send("ZADD", without_xx()).await,
            Some(Weakness::SubtractedWithoutXx) if subtracts => send("ZADD", without_xx()).await,
            Some(Weakness::ComparedBeforeCounted) if counts => {
                let read = send("ZSCORE", vec![args[0].clone(), "n".into()]).await?;
                let counted = send(command, args).await?;
                let number = |replies: &[Reply]| replies.first().and_then(Reply::as_int);
                Ok(match (number(&read), number(&counted)) {
                    (Some(before), Some(_)) => vec![Reply::Int(before + 1)],
                    _ => counted,
                })
            }
            Some(Weakness::SubtractedTwice) if subtracts => {
                send(command, args.clone()).await?;
                send(command, args).await
            }
            Some(Weakness::SubtractedWithoutBound) if subtracts => send(command, args[..3].to_vec()).await,
            Some(Weakness::CountedWithoutBound) if counts => {
                let mut unbounded = args.clone();
                unbounded[4] = Arg::Int(i64::MAX);
                let counted = send(command, unbounded).await?;
                // The client believes that the server has compared.
                Ok(vec![Reply::Int(1), counted[1].clone()])
            }
            _ => send(command, args).await,
        }
    }

    fn reconnect(&self) {}
}

impl ports::Connect for SimRedis {
    type Connection = SimConnection;

    async fn connect(&self) -> Result<SimConnection, RedisError> {
        let mut world = self.0.borrow_mut();
        let task = world.steps.current;
        world.connections[task] += 1;
        let id = (task, world.connections[task]);
        drop(world);
        Ok(SimConnection { world: Rc::clone(&self.0), id, held_back: Cell::default() })
    }
}

impl ports::Connection for SimConnection {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        let weakness = self.world.borrow().rules.weakness;
        if weakness == Some(Weakness::PexpireBeforeZadd) && command == "ZADD" {
            self.held_back.set(Some(args));
            return Ok(vec![Reply::Status("QUEUED".to_owned())]);
        }
        let replies = run(&self.world, Some(self.id), command, args).await;
        if let Some(held_back) = self.held_back.take() {
            return run(&self.world, Some(self.id), "ZADD", held_back).await;
        }
        replies
    }
}

impl Drop for SimConnection {
    fn drop(&mut self) {
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.redis.transactions.close(self.id);
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
        self.0.borrow_mut().read_clock() - START_MS
    }

    fn random_u64(&self) -> u64 {
        unreachable!("a rate limiter draws no random numbers")
    }

    /// A deadline never ends: the search loses replies instead.
    async fn sleep(&self, _ms: u64) {
        std::future::pending::<()>().await;
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.1.borrow_mut().push(Box::pin(work));
    }
}
