//! The simulated world: Redis servers, a clock, and tasks (clients). Each command of a task waits until the search lets
//! it reach the server. `checks.rs` checks the invariants when a command takes effect and when a client receives a
//! result.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use interleavings::{Defects, StepId, Stepper, Steps};

use crate::redis::{Redis, ServerKind};
use crate::step::{ServerReply, Step};
use crate::weakness::Weakness;

/// The simulated Unix time at the start, in ms.
pub const START_MS: u64 = 1_795_219_200_000;

/// The rules of the world in one exploration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The kind of each server.
    pub servers: &'static [ServerKind],
    pub weakness: Option<Weakness>,
    /// Redis may lose locks (evicted, flushed). Then there may be two holders, and only the fencing numbers are
    /// checked.
    pub locks_may_be_lost: bool,
}

pub struct World {
    pub servers: Vec<Redis>,
    pub now_ms: u64,
    pub steps: Steps<Step, ServerReply>,
    /// Steps that have taken effect and whose replies have not arrived.
    pub delayed: BTreeMap<StepId, ServerReply>,
    pub drawn: Vec<u64>,
    pub connections: Vec<u32>,
    seen: Vec<u64>,
    /// Per task: a digest of the capabilities it knows. It remembers them after an operation has ended.
    capabilities: Vec<u64>,
    /// The task of each token.
    pub owners: BTreeMap<String, usize>,
    /// Per task, for [`Weakness::ClockBeforeWatch`]: the time that it read too early.
    early: Vec<Option<u64>>,
    /// The grants that their holders trust: token, and until when.
    pub live: BTreeMap<String, u64>,
    /// How many servers have deleted the lock of a token.
    pub deleted: BTreeMap<String, usize>,
    /// The greatest fencing number that was granted.
    pub granted: u64,
    /// Per task: what `granted` was when its SET took effect.
    pub floor: Vec<u64>,
    pub rules: Rules,
    pub violation: Option<String>,
    /// Every event in words, if enabled.
    pub log: Option<String>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(tasks: usize, rules: Rules) -> Shared {
        let server = |kind: &ServerKind| Redis { kind: *kind, ..Redis::default() };
        Rc::new(RefCell::new(Self {
            servers: rules.servers.iter().map(server).collect(),
            now_ms: START_MS,
            steps: Steps::new(tasks),
            delayed: BTreeMap::new(),
            drawn: vec![0; tasks],
            connections: vec![0; tasks],
            seen: vec![0; tasks],
            capabilities: vec![0; tasks],
            owners: BTreeMap::new(),
            early: vec![None; tasks],
            live: BTreeMap::new(),
            deleted: BTreeMap::new(),
            granted: 0,
            floor: vec![0; tasks],
            rules,
            violation: None,
            log: None,
        }))
    }

    /// Lets the counters exist from the start.
    pub fn start_counters(&mut self) {
        for (at, redis) in self.servers.iter_mut().enumerate() {
            // Each server started its counter at another time.
            redis.greatest = START_MS * 1000 - 1 - 10 * at as u64;
            redis.keys.insert("fencing:r".to_owned(), (redis.greatest.to_string(), None));
        }
    }

    pub fn log(&mut self, event: &str) {
        if let Some(log) = &mut self.log {
            log.push_str(event);
            log.push('\n');
        }
    }

    /// Lets a command take effect on its server. Its reply does not arrive yet.
    pub fn take_effect(&mut self, id: StepId) {
        let step = self.steps.waiting[&id].0.clone();
        let before = self.servers[step.server].keys.clone();
        let reply = self.perform(id.0, &step);
        self.check_effect(id.0, &step, &before);
        if self.log.is_some() {
            self.log(&format!("task {} on {}: {step} -> {reply:?}", id.0, step.server));
        }
        self.delayed.insert(id, reply);
    }

    /// Lets the reply to a command that has taken effect arrive.
    pub fn deliver(&mut self, id: StepId) {
        let reply = self.delayed.remove(&id).expect("it has taken effect");
        let step = self.steps.finish(id, reply.clone());
        let mut hasher = DefaultHasher::new();
        (id, &step, &reply).hash(&mut hasher);
        // A sum, because the order of a task's concurrent steps does not matter.
        self.seen[id.0] = self.seen[id.0].wrapping_add(hasher.finish() | 1);
        if matches!(step.command.as_str(), "DELIFEQ" | "DELEX") || step.args.get(2).is_some_and(|arg| arg == "IFEQ") {
            let mut hasher = DefaultHasher::new();
            (step.server, &step.command, matches!(reply, ServerReply::Refused(_))).hash(&mut hasher);
            self.capabilities[id.0] = self.capabilities[id.0].wrapping_add(hasher.finish() | 1);
        }
    }

    fn perform(&mut self, task: usize, step: &Step) -> ServerReply {
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
            (Some(Weakness::CounterStartsFromSameNumber), "TIME", None) => ServerReply::Several(vec![
                ServerReply::Bytes((START_MS / 1000).to_string()),
                ServerReply::Bytes("0".to_owned()),
            ]),
            (Some(Weakness::ClockBeforeWatch), "INCRBY", None) => {
                self.early[task] = Some((now_ms * 1000).max(redis.greatest + 1));
                redis.run(&step.command, &step.args, now_ms)
            }
            (Some(Weakness::ClockBeforeWatch), "TIME", None) => {
                let us = self.early[task].expect("INCRBY came first");
                let parts = [us / 1_000_000, us % 1_000_000];
                ServerReply::Several(parts.iter().map(|part| ServerReply::Bytes(part.to_string())).collect())
            }
            (Some(Weakness::CountersNotRaised), "EXEC", Some(connection)) if redis.raises(connection) => {
                redis.transactions.close(connection);
                ServerReply::Several(vec![ServerReply::Int(1 << 52)])
            }
            (Some(Weakness::BareDelex), "DELEX", None) if on_lock => redis.run("DEL", &step.args[..1], now_ms),
            (Some(Weakness::ReleasedWithoutComparing), "DELIFEQ", None) if on_lock => {
                redis.run("DEL", &step.args[..1], now_ms)
            }
            (_, _, None) => redis.run(&step.command, &step.args, now_ms),
            (_, _, Some(connection)) => {
                let for_lock =
                    redis.transactions.queued(connection).first().is_some_and(|(_, args)| lock(args.first()));
                let exec = match weakness {
                    Some(Weakness::ReleasedWithoutWatch) => for_lock,
                    Some(Weakness::CounterWithoutWatch) => !for_lock,
                    _ => false,
                };
                let defects = Defects { exec, watch: weakness == Some(Weakness::WatchAfterMulti) };
                redis.run_on(connection, &step.command, &step.args, now_ms, defects)
            }
        }
    }

    /// Whether a step has no effect on other tasks, so that its position in the order does not matter.
    fn commutes(&self, id: StepId) -> bool {
        let step = &self.steps.waiting[&id].0;
        // They only return the remaining TTL to a client that found the lock taken.
        let inspects = matches!(step.command.as_str(), "MGET" | "PTTL");
        let probes = step.args.first().is_some_and(|key| key.starts_with("probe:"));
        let Some(connection) = step.connection else { return inspects || probes };
        let mut others = self.steps.waiting.iter().filter(|(other, _)| **other != id);
        match step.command.as_str() {
            "WATCH" | "EXEC" => false,
            // A concurrent WATCH may arrive before it or after it.
            "MULTI" => !others.any(|(_, (other, _))| other.connection == Some(connection)),
            _ => true,
        }
    }

    /// A task reads the clock. Its next steps may depend on the result.
    pub fn read_clock(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.now_ms.hash(&mut hasher);
        let task = self.steps.current;
        self.seen[task] = self.seen[task].wrapping_add(hasher.finish() | 1);
        self.now_ms
    }

    /// A task has finished an operation. From now on, only `rest`, its idle connections and its known capabilities
    /// matter.
    pub fn conclude(&mut self, task: usize, rest: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (rest, self.connections[task], self.capabilities[task]).hash(&mut hasher);
        self.seen[task] = hasher.finish() | 1;
        // Its background work may still wait for replies.
        if !self.steps.waiting.keys().chain(self.steps.done.keys()).any(|id| id.0 == task) {
            self.steps.started[task] = 0;
        }
    }

    /// Advances the clock and removes what expires.
    pub fn advance_clock(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        self.servers.iter_mut().for_each(|redis| redis.expire(now_ms));
        self.live.retain(|_, until| *until > now_ms);
    }

    /// Whether a task has taken a step.
    pub fn has_started(&self, task: usize) -> bool {
        self.seen[task] != 0
    }

    /// A task has ended. What it has seen does not matter any more.
    pub fn forget(&mut self, task: usize) {
        (self.seen[task], self.drawn[task], self.floor[task]) = (1, 0, 0);
    }

    /// Adds everything that the future depends on.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        (&self.servers, self.now_ms, &self.seen, &self.floor, self.granted).hash(hasher);
        (&self.delayed, &self.live, &self.early, &self.deleted).hash(hasher);
        for (id, (step, _)) in &self.steps.waiting {
            (id, step).hash(hasher);
        }
    }
}

impl Stepper for World {
    type Step = Step;
    type Outcome = ServerReply;

    fn steps(&mut self) -> &mut Steps<Step, ServerReply> {
        &mut self.steps
    }

    fn on_start(&mut self, id: StepId) {
        if self.commutes(id) {
            self.take_effect(id);
            self.deliver(id);
        }
    }

    fn on_cancel(&mut self, id: StepId) {
        self.delayed.remove(&id);
    }
}
