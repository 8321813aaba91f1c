//! The simulated world: Redis servers, a clock, and tasks (clients) whose every command waits until the search lets it
//! reach the server. What must hold is checked (`checks.rs`) whenever a command takes effect or a client learns something.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use interleavings::{Defects, StepId, Stepper, Steps};

use crate::redis::{Flavour, Redis};
use crate::step::{Answer, Step};
use crate::weakness::Weakness;

/// Simulated Unix time at the start, ms.
pub const START_MS: u64 = 1_795_219_200_000;

/// How the world behaves in one exploration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What each of the servers is.
    pub servers: &'static [Flavour],
    pub weakness: Option<Weakness>,
    /// Locks themselves may be lost (evicted, flushed): then there may be two holders, and only numbers are checked.
    pub locks_may_vanish: bool,
}

pub struct World {
    pub servers: Vec<Redis>,
    pub now_ms: u64,
    pub steps: Steps<Step, Answer>,
    /// Steps that have taken effect, and whose answers are on their way.
    pub held_up: BTreeMap<StepId, Answer>,
    pub drawn: Vec<u64>,
    pub connections: Vec<u32>,
    seen: Vec<u64>,
    /// What a task has learnt of the servers' commands, which it remembers beyond an operation.
    learnt: Vec<u64>,
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
    pub rules: Rules,
    pub violation: Option<String>,
    /// What happens, in words, if somebody wants to know.
    pub story: Option<String>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(tasks: usize, rules: Rules) -> Shared {
        let server = |flavour: &Flavour| Redis { flavour: *flavour, ..Redis::default() };
        Rc::new(RefCell::new(Self {
            servers: rules.servers.iter().map(server).collect(),
            now_ms: START_MS,
            steps: Steps::new(tasks),
            held_up: BTreeMap::new(),
            drawn: vec![0; tasks],
            connections: vec![0; tasks],
            seen: vec![0; tasks],
            learnt: vec![0; tasks],
            owners: BTreeMap::new(),
            early: vec![None; tasks],
            live: BTreeMap::new(),
            deleted: BTreeMap::new(),
            granted: 0,
            floor: vec![0; tasks],
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
        let step = self.steps.waiting[&id].0.clone();
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
        let step = self.steps.finish(id, answer.clone());
        let mut hasher = DefaultHasher::new();
        (id, &step, &answer).hash(&mut hasher);
        // A sum: of steps that a task has sent side by side, nothing tells which came first.
        self.seen[id.0] = self.seen[id.0].wrapping_add(hasher.finish() | 1);
        if matches!(step.command.as_str(), "DELIFEQ" | "DELEX") || step.args.get(2).is_some_and(|arg| arg == "IFEQ") {
            let mut hasher = DefaultHasher::new();
            (step.server, &step.command, matches!(answer, Answer::Refused(_))).hash(&mut hasher);
            self.learnt[id.0] = self.learnt[id.0].wrapping_add(hasher.finish() | 1);
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
                let for_lock =
                    redis.transactions.queued(connection).first().is_some_and(|(_, args)| lock(args.first()));
                let exec = match weakness {
                    Some(Weakness::ReleasedWithoutWatch) => for_lock,
                    Some(Weakness::CounterWithoutWatch) => !for_lock,
                    _ => false,
                };
                let defects = Defects { exec, watch: weakness == Some(Weakness::WatchedTooLate) };
                redis.run_on(connection, &step.command, &step.args, now_ms, defects)
            }
        }
    }

    /// Whether a step concerns nobody else, whenever it happens.
    fn commutes(&self, id: StepId) -> bool {
        let step = &self.steps.waiting[&id].0;
        // Who looks at a lock that is in the way goes away with what it has seen, and nothing depends on it.
        let looks = matches!(step.command.as_str(), "MGET" | "PTTL");
        let probes = step.args.first().is_some_and(|key| key.starts_with("probe:"));
        let Some(connection) = step.connection else { return looks || probes };
        let mut others = self.steps.waiting.iter().filter(|(other, _)| **other != id);
        match step.command.as_str() {
            "WATCH" | "EXEC" => false,
            // A WATCH on its way may come before it or after.
            "MULTI" => !others.any(|(_, (other, _))| other.connection == Some(connection)),
            _ => true,
        }
    }

    /// A task reads the clock: what it does from now on depends on it.
    pub fn read_clock(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.now_ms.hash(&mut hasher);
        let task = self.steps.current;
        self.seen[task] = self.seen[task].wrapping_add(hasher.finish() | 1);
        self.now_ms
    }

    /// A task has ended an operation: of what it has seen, only `rest` matters from now on, and its idle connections.
    pub fn conclude(&mut self, task: usize, rest: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (rest, self.connections[task], self.learnt[task]).hash(&mut hasher);
        self.seen[task] = hasher.finish() | 1;
        // What it has left to the background may still wait for answers.
        if !self.steps.waiting.keys().chain(self.steps.done.keys()).any(|id| id.0 == task) {
            self.steps.started[task] = 0;
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
        for (id, (step, _)) in &self.steps.waiting {
            (id, step).hash(hasher);
        }
    }
}

impl Stepper for World {
    type Step = Step;
    type Outcome = Answer;

    fn steps(&mut self) -> &mut Steps<Step, Answer> {
        &mut self.steps
    }

    fn on_start(&mut self, id: StepId) {
        if self.commutes(id) {
            self.take_effect(id);
            self.deliver(id);
        }
    }

    fn on_cancel(&mut self, id: StepId) {
        self.held_up.remove(&id);
    }
}
