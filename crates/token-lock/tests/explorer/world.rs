//! The simulated world: Redis servers, a clock, and tasks (clients) whose every command waits until the search lets it
//! reach the server. What must hold is checked (`checks.rs`) whenever a command takes effect or a client learns something.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::Waker;

use crate::redis::{Flavour, Redis};
use crate::step::{Answer, Step, StepId};
use crate::weakness::Weakness;

/// Simulated Unix time at the start, ms.
pub const START_MS: u64 = 1_795_219_200_000;

/// How the world behaves in one exploration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub servers: usize,
    pub flavour: Flavour,
    pub weakness: Option<Weakness>,
    /// Locks themselves may be lost (evicted, flushed): then there may be two holders, and only numbers are checked.
    pub locks_may_vanish: bool,
}

pub struct World {
    pub servers: Vec<Redis>,
    pub now_ms: u64,
    pub waiting: BTreeMap<StepId, (Step, Option<Waker>)>,
    /// Steps that have taken effect, and whose answers are on their way.
    pub held_up: BTreeMap<StepId, Answer>,
    pub done: BTreeMap<StepId, Answer>,
    pub begun: Vec<u32>,
    pub drawn: Vec<u64>,
    pub connections: Vec<u32>,
    seen: Vec<u64>,
    /// Whose tokens these are.
    pub owners: BTreeMap<String, usize>,
    /// Per task, for [`Weakness::ClockBeforeWatch`]: the time that it got too early.
    early: Vec<Option<u64>>,
    /// Grants that their holders trust: token, and until when.
    pub live: BTreeMap<String, u64>,
    /// On how many servers the lock of a token was deleted.
    pub deleted: BTreeMap<String, usize>,
    /// The greatest number granted, and what it was when the task took its lock.
    pub granted: u64,
    pub floor: Vec<u64>,
    pub current: usize,
    pub rules: Rules,
    pub violation: Option<String>,
    /// What happens, in words, if somebody wants to know.
    pub story: Option<String>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(tasks: usize, rules: Rules) -> Shared {
        let server = Redis { flavour: rules.flavour, ..Redis::default() };
        Rc::new(RefCell::new(Self {
            servers: vec![server; rules.servers],
            now_ms: START_MS,
            waiting: BTreeMap::new(),
            held_up: BTreeMap::new(),
            done: BTreeMap::new(),
            begun: vec![0; tasks],
            drawn: vec![0; tasks],
            connections: vec![0; tasks],
            seen: vec![0; tasks],
            owners: BTreeMap::new(),
            early: vec![None; tasks],
            live: BTreeMap::new(),
            deleted: BTreeMap::new(),
            granted: 0,
            floor: vec![0; tasks],
            current: 0,
            rules,
            violation: None,
            story: None,
        }))
    }

    /// The counters have been used before.
    pub fn start_counters(&mut self) {
        for (at, redis) in self.servers.iter_mut().enumerate() {
            // Each started at another time.
            redis.greatest = START_MS * 1000 - 1 - 10 * at as u64;
            redis.keys.insert("fencing:r".to_owned(), (redis.greatest.to_string(), None));
        }
    }

    pub fn tell(&mut self, what: &str) {
        if let Some(story) = &mut self.story {
            story.push_str(what);
            story.push('\n');
        }
    }

    /// Lets a command reach its server; its answer is held up.
    pub fn take_effect(&mut self, id: StepId) {
        let (step, _) = self.waiting.get(&id).expect("the step waits").clone();
        let before = self.servers[step.server].clone();
        let answer = self.perform(id.0, &step);
        self.check_effect(id.0, &step, &before);
        if self.story.is_some() {
            self.tell(&format!("task {} on {}: {step} -> {answer:?}", id.0, step.server));
        }
        self.held_up.insert(id, answer);
    }

    /// Lets the answer of a command that has taken effect reach its task.
    pub fn deliver(&mut self, id: StepId) {
        let answer = self.held_up.remove(&id).expect("it has taken effect");
        let (step, waker) = self.waiting.remove(&id).expect("it is waited for");
        let mut hasher = DefaultHasher::new();
        (id, &step, &answer).hash(&mut hasher);
        // A sum: of steps that a task has sent side by side, nothing tells which came first.
        self.seen[id.0] = self.seen[id.0].wrapping_add(hasher.finish() | 1);
        self.done.insert(id, answer);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn perform(&mut self, task: usize, step: &Step) -> Answer {
        let now_ms = self.now_ms;
        let weakness = self.rules.weakness;
        let lock = |key: Option<&String>| key.is_some_and(|key| key.starts_with("locks:"));
        let on_lock = lock(step.args.first());
        let redis = &mut self.servers[step.server];
        if step.command == "SET" && step.args.get(2).is_some_and(|option| option == "NX") {
            self.owners.insert(step.args[1].clone(), task);
            self.floor[task] = self.granted;
        }
        match (weakness, step.command.as_str(), step.connection) {
            (Some(Weakness::CounterStartsAgain), "TIME", None) => {
                Answer::Several(vec![Answer::Bytes((START_MS / 1000).to_string()), Answer::Bytes("0".to_owned())])
            }
            (Some(Weakness::ClockBeforeWatch), "INCRBY", None) => {
                self.early[task] = Some((now_ms * 1000).max(redis.greatest + 1));
                redis.run(&step.command, &step.args, now_ms)
            }
            (Some(Weakness::ClockBeforeWatch), "TIME", None) => {
                let us = self.early[task].expect("INCRBY came first");
                let parts = [us / 1_000_000, us % 1_000_000];
                Answer::Several(parts.iter().map(|part| Answer::Bytes(part.to_string())).collect())
            }
            (Some(Weakness::NumbersDiffer), "INCRBY", None) if step.args[1] != "1" => Answer::Int(1 << 52),
            (Some(Weakness::BareDelex), "DELEX", None) if on_lock => redis.run("DEL", &step.args[..1], now_ms),
            (Some(Weakness::ReleasedByKey), "DELIFEQ", None) if on_lock => redis.run("DEL", &step.args[..1], now_ms),
            (_, _, None) => redis.run(&step.command, &step.args, now_ms),
            (_, _, Some(connection)) => {
                let queued = redis.transactions.get(&connection).and_then(|open| open.queued.as_ref());
                let for_lock = queued.and_then(|queued| queued.first()).is_some_and(|(_, args)| lock(args.first()));
                let heedless = match weakness {
                    Some(Weakness::ReleasedWithoutWatch) => for_lock,
                    Some(Weakness::CounterWithoutWatch) => !for_lock,
                    _ => false,
                };
                let lenient = weakness == Some(Weakness::WatchedTooLate);
                redis.run_on(connection, &step.command, &step.args, now_ms, (heedless, lenient))
            }
        }
    }

    /// A task reads the clock: what it does from now on depends on it.
    pub fn read_clock(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.now_ms.hash(&mut hasher);
        let task = self.current;
        self.seen[task] = self.seen[task].wrapping_add(hasher.finish() | 1);
        self.now_ms
    }

    /// A task has ended an operation: of what it has seen, only `rest` matters from now on, and its idle connections.
    pub fn conclude(&mut self, task: usize, rest: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (rest, self.connections[task]).hash(&mut hasher);
        self.seen[task] = hasher.finish() | 1;
        // What it has left to the background may still wait for answers.
        if !self.waiting.keys().chain(self.done.keys()).any(|id| id.0 == task) {
            self.begun[task] = 0;
        }
    }

    /// Time passes: what ends meanwhile is gone.
    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        self.servers.iter_mut().for_each(|redis| redis.expire(now_ms));
        self.live.retain(|_, until| *until > now_ms);
    }

    /// Whether a task has taken a step.
    pub fn has_begun(&self, task: usize) -> bool {
        self.seen[task] != 0
    }

    /// What an ended task has seen and drawn matters to nobody any more.
    pub fn forget(&mut self, task: usize) {
        (self.seen[task], self.drawn[task], self.floor[task]) = (1, 0, 0);
    }

    /// Everything that the future depends on.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        (&self.servers, self.now_ms, &self.seen, &self.floor, self.granted).hash(hasher);
        (&self.held_up, &self.live, &self.early, &self.deleted).hash(hasher);
        for (id, (step, _)) in &self.waiting {
            (id, step).hash(hasher);
        }
    }
}
