//! The simulated world: one Redis, one row in a database, a clock, and tasks (requests) whose every step, a Redis
//! command or an SQL statement, waits until the search lets it happen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use redis_port::{Arg, RedisError, Reply};
use versioned_cache::{Scope, StatementError};

use crate::redis::Redis;
use crate::weakness::Weakness;

/// Simulated Unix time at the start, ms.
const START_MS: u64 = 1_795_219_200_000;
/// A sleep this long is a deadline; Redis always answers here, so it never ends.
const DEADLINE_MS: u64 = 100;

/// Which step: the task's number and a count of its steps so far.
pub type StepId = (usize, u32);

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Step {
    /// The request arrives.
    Start,
    Redis(String, Vec<ArgKey>),
    /// `SELECT` of the row.
    Select,
    /// `UPDATE` of the row: its value grows by one.
    Update,
    Sleep(u64),
}

/// [`Arg`], hashable.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum ArgKey {
    Bytes(Vec<u8>),
    Int(i64),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redis(command, args) => {
                f.write_str(command)?;
                args.iter().try_for_each(|arg| match arg {
                    ArgKey::Bytes(bytes) => write!(f, " {}", String::from_utf8_lossy(bytes)),
                    ArgKey::Int(number) => write!(f, " {number}"),
                })
            }
            other => write!(f, "{other:?}"),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Redis(Vec<ReplyKey>),
    Row(u64),
}

/// [`Reply`], hashable.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum ReplyKey {
    Nil,
    Status(String),
    Int(i64),
    Bytes(Vec<u8>),
}

/// What the simulated database never says: statements settle or their task dies.
#[derive(Debug, PartialEq, Eq)]
pub struct NoError;

impl StatementError for NoError {
    fn may_still_commit(&self) -> bool {
        false
    }
}

/// How the world behaves in one exploration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub weakness: Option<Weakness>,
    /// Reads are held to the writes acknowledged (not merely committed) before they began: for worlds that lose marks.
    pub acknowledged_only: bool,
    /// Steps that commute with all others happen at once, which keeps the search small.
    pub eager: bool,
}

pub struct World {
    pub redis: Redis,
    /// The committed value of the row; 0: there is no such row.
    pub row: u64,
    /// The largest value whose write was acknowledged.
    pub acknowledged: u64,
    pub now_ms: u64,
    pub waiting: BTreeMap<StepId, (Step, Option<Waker>)>,
    done: BTreeMap<StepId, Outcome>,
    /// Per task: steps begun, random numbers drawn, a digest of what it has seen, the floor its read is held to.
    begun: Vec<u32>,
    drawn: Vec<u64>,
    seen: Vec<u64>,
    floor: Vec<u64>,
    /// Writers between their first step and their end.
    pub writing: BTreeSet<usize>,
    /// Writers whose statement has taken effect in this write.
    pub written: BTreeSet<usize>,
    ended: BTreeSet<usize>,
    pub current: usize,
    pub rules: Rules,
    pub violation: Option<String>,
    /// What happens, in words, if somebody wants to know.
    pub story: Option<String>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(tasks: usize, rules: Rules) -> Shared {
        Rc::new(RefCell::new(Self {
            redis: Redis::default(),
            row: 0,
            acknowledged: 0,
            now_ms: START_MS,
            waiting: BTreeMap::new(),
            done: BTreeMap::new(),
            begun: vec![0; tasks],
            drawn: vec![0; tasks],
            seen: vec![0; tasks],
            floor: vec![0; tasks],
            writing: BTreeSet::new(),
            written: BTreeSet::new(),
            ended: BTreeSet::new(),
            current: 0,
            rules,
            violation: None,
            story: None,
        }))
    }

    /// Lets a step happen on behalf of a task that waits for it.
    pub fn grant(&mut self, id: StepId) {
        let (step, waker) = self.waiting.remove(&id).expect("the step waits");
        let outcome = self.perform(id.0, &step);
        let mut hasher = DefaultHasher::new();
        (id, &step, self.what_matters(&step, &outcome)).hash(&mut hasher);
        // A sum: of steps that a task has sent side by side, nothing tells which came first.
        self.seen[id.0] = self.seen[id.0].wrapping_add(hasher.finish() | 1);
        self.done.insert(id, outcome);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn tell(&mut self, what: &str) {
        if let Some(story) = &mut self.story {
            story.push_str(what);
            story.push('\n');
        }
    }

    /// What a step does to the world.
    pub fn perform(&mut self, task: usize, step: &Step) -> Outcome {
        let outcome = self.take_effect(task, step);
        if self.story.is_some() {
            self.tell(&format!("task {task}: {step} -> {outcome:?}"));
        }
        outcome
    }

    fn take_effect(&mut self, task: usize, step: &Step) -> Outcome {
        match step {
            Step::Start => {
                self.floor[task] = if self.rules.acknowledged_only { self.acknowledged } else { self.row };
                Outcome::Done
            }
            Step::Select => Outcome::Row(self.row),
            Step::Update => {
                self.row += 1;
                self.written.insert(task);
                Outcome::Row(self.row)
            }
            Step::Sleep(ms) => {
                self.now_ms += ms;
                Outcome::Done
            }
            Step::Redis(..) if self.rules.eager && is_lease(step) => {
                Outcome::Redis(vec![ReplyKey::Status("OK".into())])
            }
            Step::Redis(command, args) => {
                let mut args: Vec<Arg> = args.iter().map(ArgKey::to_arg).collect();
                let reply = match self.rules.weakness.and_then(|weak| weak.reply(task, command, &mut args, self)) {
                    Some(instead) => vec![instead],
                    None => self.redis.run(command, &args).expect("the simulated Redis refuses nothing"),
                };
                Outcome::Redis(reply.into_iter().map(ReplyKey::from).collect())
            }
        }
    }

    /// What the protocol's further course may depend on: of an INCR only whether the version had been lost, of an UPDATE
    /// only what it will acknowledge.
    fn what_matters(&self, step: &Step, outcome: &Outcome) -> Option<Outcome> {
        match (step, outcome) {
            (Step::Redis(command, _), Outcome::Redis(replies)) if command == "INCR" => {
                let lost = matches!(replies[..], [ReplyKey::Int(number)] if number < START_MS as i64);
                lost.then_some(Outcome::Done)
            }
            (Step::Update, _) if !self.rules.acknowledged_only => None,
            _ => Some(outcome.clone()),
        }
    }

    /// A read has answered `value`: is it one that the read may give?
    pub fn check_read(&mut self, task: usize, value: u64) {
        if value < self.floor[task] {
            self.violation =
                Some(format!("read {task} answered {value}, but {} was there before it began", self.floor[task]));
        }
    }

    /// Whether a task has taken a step.
    pub fn has_begun(&self, task: usize) -> bool {
        self.seen[task] != 0 || self.ended.contains(&task)
    }

    /// What an ended task has seen and drawn matters to nobody any more.
    pub fn forget(&mut self, task: usize) {
        (self.seen[task], self.floor[task], self.drawn[task]) = (0, 0, 0);
        self.writing.remove(&task);
        self.written.remove(&task);
        self.ended.insert(task);
    }

    /// Everything that the future depends on.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        let acknowledged = self.rules.acknowledged_only.then_some(self.acknowledged);
        (&self.redis, self.row, acknowledged, self.now_ms, &self.seen, &self.floor).hash(hasher);
        for (id, (step, _)) in &self.waiting {
            (id, step).hash(hasher);
        }
    }
}

impl ArgKey {
    fn to_arg(&self) -> Arg {
        match self {
            Self::Bytes(bytes) => Arg::Bytes(bytes.clone()),
            Self::Int(number) => Arg::Int(*number),
        }
    }
}

impl From<Reply> for ReplyKey {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Nil => Self::Nil,
            Reply::Status(status) => Self::Status(status),
            Reply::Int(number) => Self::Int(number),
            Reply::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<ReplyKey> for Reply {
    fn from(reply: ReplyKey) -> Self {
        match reply {
            ReplyKey::Nil => Self::Nil,
            ReplyKey::Status(status) => Self::Status(status),
            ReplyKey::Int(number) => Self::Int(number),
            ReplyKey::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// Waits until the search lets `step` happen.
pub struct Wait {
    world: Shared,
    id: Option<StepId>,
    step: Option<Step>,
}

pub fn wait(world: &Shared, step: Step) -> Wait {
    Wait { world: Rc::clone(world), id: None, step: Some(step) }
}

impl Future for Wait {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let shared = Rc::clone(&self.world);
        let mut world = shared.borrow_mut();
        if let Some(step) = self.step.take() {
            let task = world.current;
            let id = (task, world.begun[task]);
            world.begun[task] += 1;
            self.id = Some(id);
            let eager = world.rules.eager && commutes(&step);
            world.waiting.insert(id, (step, Some(context.waker().clone())));
            if eager {
                world.grant(id);
            }
        }
        let id = self.id.expect("set at the first poll");
        match world.done.remove(&id) {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                if let Some((_, waker)) = world.waiting.get_mut(&id) {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let (Some(id), Ok(mut world)) = (self.id, self.world.try_borrow_mut()) {
            world.waiting.remove(&id);
            world.done.remove(&id);
        }
    }
}

/// Steps whose outcome and effect do not depend on when they happen: how long something lives, which is not simulated;
/// leases, which are always granted when steps are eager, for all that a lease can do is to make somebody wait; and the
/// version of the list.
fn commutes(step: &Step) -> bool {
    matches!(step, Step::Redis(command, _) if matches!(command.as_str(), "PTTL" | "PEXPIRE" | "HINCRBY"))
        || is_lease(step)
}

fn is_lease(step: &Step) -> bool {
    matches!(step, Step::Redis(_, args) if matches!(args.first(), Some(ArgKey::Bytes(key)) if key.starts_with(b"filling:")))
}

/// The port to the simulated Redis.
pub struct SimRedis(pub Shared);

impl redis_port::Redis for SimRedis {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        let args = args
            .into_iter()
            .map(|arg| match arg {
                Arg::Bytes(bytes) => ArgKey::Bytes(bytes),
                Arg::Int(number) => ArgKey::Int(number),
            })
            .collect();
        match wait(&self.0, Step::Redis(command.to_owned(), args)).await {
            Outcome::Redis(replies) => Ok(replies.into_iter().map(Reply::from).collect()),
            other => panic!("{other:?} is no reply"),
        }
    }

    fn reconnect(&self) {}
}

/// The port to the simulated clock. Spawned work is lost, as it may be: it only counts and catches up.
pub struct SimRuntime(pub Shared);

impl redis_port::Runtime for SimRuntime {
    fn unix_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.borrow().now_ms - START_MS
    }

    /// Different for each task and draw, and far enough apart that no INCR gets from one to the next.
    fn random_u64(&self) -> u64 {
        let mut world = self.0.borrow_mut();
        if let Some(Weakness::VersionsComeBack) = world.rules.weakness {
            return 0;
        }
        let task = world.current;
        world.drawn[task] += 1;
        (task as u64 * 64 + world.drawn[task]) * 64
    }

    async fn sleep(&self, ms: u64) {
        if ms >= DEADLINE_MS {
            std::future::pending::<()>().await;
        }
        wait(&self.0, Step::Sleep(ms)).await;
    }

    fn spawn(&self, _work: impl Future<Output = ()> + 'static) {}
}

/// The scope under test.
pub fn scope() -> Scope {
    Scope::item("user", 42)
}

/// The collection it belongs to.
pub fn list() -> Scope {
    Scope::list("users")
}
