//! The simulated world: a Redis server, a clock, and tasks (instances). Each command of a task waits until the search
//! lets it reach the server. The promises are checked when a command takes effect and when a request is decided.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use interleavings::{StepId, Stepper, Steps, Transactions};

use crate::redis::Redis;
use crate::step::{ServerReply, Step};
use crate::weakness::Weakness;

/// The length of a window in ms.
pub const WINDOW_MS: u64 = 1_000;
/// The simulated Unix time at the start, in ms: a window begins.
pub const START_MS: u64 = 1_795_219_200_000;
/// The client that sends all requests.
pub const CLIENT: &str = "c";

/// The rules of the world in one exploration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub has_increx: bool,
    pub limit: u64,
    /// What the client has used in the window before the first.
    pub previous: u64,
    pub weakness: Option<Weakness>,
    /// Commands may be lost also in a transaction. Without this, those that commute are not reordered.
    pub loses_everywhere: bool,
}

/// A command whose client has given up. It may still arrive, on a connection in this state.
#[derive(Clone, Debug, Hash)]
struct Late {
    step: Step,
    transactions: Transactions<(String, Vec<String>)>,
}

pub struct World {
    pub redis: Redis,
    pub now_ms: u64,
    pub steps: Steps<Step, ServerReply>,
    /// Steps that have taken effect and whose replies have not arrived.
    pub delayed: BTreeMap<StepId, ServerReply>,
    late: Vec<Late>,
    pub connections: Vec<u32>,
    seen: Vec<u64>,
    /// How many requests were allowed in each window.
    allowed: BTreeMap<u64, u64>,
    /// A counter was evicted or has expired.
    pub has_lost_counters: bool,
    /// A reply was lost.
    pub has_lost_replies: bool,
    pub rules: Rules,
    pub violation: Option<String>,
    /// Every event in words, if enabled.
    pub log: Option<String>,
}

pub type Shared = Rc<RefCell<World>>;

/// The counter of a window.
fn key(rules: &Rules, window: u64) -> String {
    let prefix = if rules.has_increx { "ratelimit-increx" } else { "ratelimit" };
    format!("{prefix}:api:{CLIENT}:{window}")
}

impl World {
    pub fn new(tasks: usize, rules: Rules) -> Shared {
        let mut redis = Redis { has_increx: rules.has_increx, ..Redis::default() };
        if rules.previous > 0 {
            let previous = key(&rules, START_MS / WINDOW_MS - 1);
            redis.create(&previous, rules.previous as i64, START_MS + 2 * WINDOW_MS);
        }
        Rc::new(RefCell::new(Self {
            redis,
            now_ms: START_MS,
            steps: Steps::new(tasks),
            delayed: BTreeMap::new(),
            late: Vec::new(),
            connections: vec![0; tasks],
            seen: vec![0; tasks],
            allowed: BTreeMap::new(),
            has_lost_counters: false,
            has_lost_replies: false,
            rules,
            violation: None,
            log: None,
        }))
    }

    pub fn log(&mut self, event: &str) {
        if let Some(log) = &mut self.log {
            log.push_str(event);
            log.push('\n');
        }
    }

    fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// Lets a command take effect. Its reply does not arrive yet.
    pub fn take_effect(&mut self, id: StepId) {
        let step = self.steps.waiting[&id].0.clone();
        let reply = self.perform(&step);
        if self.log.is_some() {
            self.log(&format!("task {}: {step} -> {reply:?}", id.0));
        }
        self.delayed.insert(id, reply);
    }

    /// Lets the reply to a command that has taken effect arrive.
    pub fn deliver(&mut self, id: StepId) {
        let reply = self.delayed.remove(&id).expect("it has taken effect");
        self.finish(id, reply);
    }

    /// The client of a command gives up. The command has not arrived yet.
    pub fn lose(&mut self, id: StepId) {
        self.has_lost_replies = true;
        let step = self.steps.waiting[&id].0.clone();
        let mut transactions = Transactions::default();
        // Only what may change a counter. Before EXEC, a transaction ends with its connection.
        let may_change = match step.connection {
            None => matches!(step.command.as_str(), "ZADD" | "INCREX"),
            Some(connection) => {
                transactions.restore(connection, &self.redis.transactions);
                step.command == "EXEC"
            }
        };
        if may_change {
            self.late.push(Late { step, transactions });
        }
        self.finish(id, ServerReply::Lost);
    }

    fn finish(&mut self, id: StepId, reply: ServerReply) {
        let step = self.steps.finish(id, reply.clone());
        let mut hasher = DefaultHasher::new();
        (id, &step, &reply).hash(&mut hasher);
        // A sum, because the order of a task's concurrent steps does not matter.
        self.seen[id.0] = self.seen[id.0].wrapping_add(hasher.finish() | 1);
    }

    pub fn late(&self) -> usize {
        self.late.len()
    }

    /// A command whose client has given up arrives.
    pub fn arrive_late(&mut self, at: usize) {
        let Late { step, transactions } = self.late.remove(at);
        if let Some(connection) = step.connection {
            self.redis.transactions.restore(connection, &transactions);
        }
        let reply = self.perform(&step);
        if let Some(connection) = step.connection {
            self.redis.transactions.close(connection);
        }
        self.log(&format!("late: {step} -> {reply:?}"));
    }

    fn perform(&mut self, step: &Step) -> ServerReply {
        let reply = match step.connection {
            None => self.redis.run(&step.command, &step.args, self.now_ms),
            Some(connection) => self.redis.run_on(connection, &step.command, &step.args, self.now_ms),
        };
        let endless = self.redis.keys.iter().find(|(_, entry)| entry.expires_ms.is_none());
        if let Some((key, _)) = endless {
            self.violated(format!("{key} has no expiry after {step}"));
        }
        reply
    }

    /// A request that began in this window was decided.
    pub fn decided(&mut self, task: usize, window: u64, is_allowed: bool) {
        self.log(&format!("task {task}: allowed = {is_allowed}"));
        // What the instance has seen stays in its memory, so it stays in the digest.
        let allowed = self.allowed.entry(window).or_default();
        *allowed += u64::from(is_allowed);
        let allowed = *allowed;
        // In the first window the clock stands still, or jumps out of it: all of the previous count is carried.
        let is_first = window == START_MS / WINDOW_MS;
        let carried = if is_first { self.rules.previous } else { 0 };
        if !self.has_lost_counters && allowed > self.rules.limit.saturating_sub(carried) {
            self.violated(format!("{allowed} requests were allowed in one window"));
        }
    }

    /// All tasks have ended, and every command has arrived: refused requests have used no quota, so the counter of the
    /// first window has as much as was allowed, unless a request was counted and its reply lost.
    pub fn check_end(&self) -> Option<String> {
        let window = START_MS / WINDOW_MS;
        if self.has_lost_counters || self.has_lost_replies {
            return None;
        }
        let allowed = self.allowed.get(&window).copied().unwrap_or(0);
        let count = self.redis.keys.get(&key(&self.rules, window)).map_or(0, |entry| entry.count);
        (count != allowed as i64).then(|| format!("the counter holds {count}, but {allowed} requests were allowed"))
    }

    /// Whether a step has no effect on other tasks, so that its position in the order does not matter.
    fn commutes(&self, id: StepId) -> bool {
        if self.rules.loses_everywhere {
            return false;
        }
        let step = &self.steps.waiting[&id].0;
        let Some(connection) = step.connection else { return step.command == "COMMAND" };
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

    /// Advances the clock and removes what expires.
    pub fn advance_clock(&mut self, ms: u64) {
        self.now_ms += ms;
        self.has_lost_counters |= self.redis.expire(self.now_ms);
    }

    /// Whether a task has taken a step.
    pub fn has_started(&self, task: usize) -> bool {
        self.seen[task] != 0
    }

    /// A task has ended. What it has seen does not matter any more.
    pub fn forget(&mut self, task: usize) {
        self.seen[task] = 1;
    }

    /// Adds everything that the future depends on.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        (&self.redis, self.now_ms, &self.seen, &self.allowed, &self.delayed, &self.late).hash(hasher);
        (self.has_lost_counters, self.has_lost_replies).hash(hasher);
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
