//! The simulated world: one Redis, one row in a database, a clock, and tasks (requests) whose every step, a Redis
//! command or an SQL statement, waits until the search lets it happen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use redis_port::Arg;

use crate::redis::Redis;
use crate::step::{ArgKey, Outcome, ReplyKey, Step, StepId, commutes, is_lease, is_list_version, is_registry};
use crate::weakness::Weakness;

/// Simulated Unix time at the start, ms.
pub const START_MS: u64 = 1_795_219_200_000;

/// How the world behaves in one exploration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub weakness: Option<Weakness>,
    /// Reads are held to the writes acknowledged (not merely committed) before they began: for worlds that lose marks.
    pub acknowledged_only: bool,
    /// Generations may be evicted, too.
    pub evict_generations: bool,
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
    pub drawn: Vec<u64>,
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
            redis: Redis::with_generations(),
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
            // Registries serve to list and to count; whether an entry is current must not depend on them.
            Step::Redis(command, _) if is_registry(step) => match command.as_str() {
                "RENAME" => Outcome::Refused,
                "ZRANGE" => Outcome::Redis(vec![]),
                _ => Outcome::Redis(vec![ReplyKey::Int(1)]),
            },
            Step::Redis(..) if self.rules.eager && is_lease(step) => {
                Outcome::Redis(vec![ReplyKey::Status("OK".into())])
            }
            Step::Redis(..) if self.rules.eager && is_list_version(step) => {
                Outcome::Redis(vec![ReplyKey::Int(i64::MAX)])
            }
            Step::Redis(command, args) => {
                let mut args: Vec<Arg> = args.iter().map(ArgKey::to_arg).collect();
                let reply = match self.rules.weakness.and_then(|weak| weak.reply(task, command, &mut args, self)) {
                    Some(instead) => Ok(vec![instead]),
                    None => self.redis.run(command, &args),
                };
                match reply {
                    Ok(replies) => Outcome::Redis(replies.into_iter().map(ReplyKey::from).collect()),
                    Err(_) => Outcome::Refused,
                }
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
