//! The simulated world: one Redis, one row in a database, a clock, and tasks (requests). Each step of a task, a Redis
//! command or an SQL statement, waits until the search lets it happen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use interleavings::{ConnectionId, Defects, Footprint, StepId, Stepper, Steps};
use ports::{Arg, Reply};

use crate::promises::Promises;
use crate::redis::Redis;
use crate::step::{Outcome, Step, commutes, is_lease, is_list_version, is_registry};
use crate::tasks::Task;
use crate::weakness::Weakness;

/// Simulated Unix time at the start, ms.
pub const START_MS: u64 = 1_795_219_200_000;

/// How the world behaves in one exploration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub weakness: Option<Weakness>,
    /// A read must see the writes that were acknowledged before it began, not all that were committed: for worlds that
    /// lose marks.
    pub acknowledged_only: bool,
    /// Generations may be evicted.
    pub evict_generations: bool,
    /// Steps that commute with all others happen at once. This keeps the search small.
    pub eager: bool,
    /// TTLs are simulated, and checked when all requests have ended.
    pub ttls: bool,
}

pub struct World {
    pub redis: Redis,
    /// The committed value of the row; 0: there is no such row.
    pub row: u64,
    promises: Promises,
    pub now_ms: u64,
    pub steps: Steps<Step, Outcome>,
    /// For each task: how many random numbers it has drawn, how many connections it has opened, a digest of its
    /// outcomes.
    pub drawn: Vec<u64>,
    pub connections: Vec<u32>,
    seen: Vec<u64>,
    /// Writers between their first step and their end.
    pub writing: BTreeSet<usize>,
    /// Writers whose statement has taken effect.
    pub written: BTreeSet<usize>,
    ended: BTreeSet<usize>,
    /// A read begins with its first command, so the search needs no step for its arrival. A read that arrives earlier
    /// may return the same values and more: what is written, set or removed until the first command need not show.
    pub reads_begin_late: bool,
    /// Readers between the arrival of a read and its first command, if reads begin late.
    beginning: BTreeSet<usize>,
    /// What tasks have spawned, if they want to run it.
    pub spawned: BTreeMap<usize, Vec<Task>>,
    /// Tasks that check a hit.
    pub checking: BTreeSet<usize>,
    /// Tasks whose fetch has failed.
    pub failed: BTreeSet<usize>,
    pub rules: Rules,
    pub violation: Option<String>,
    /// What has been read and changed since the last action began.
    pub footprint: Footprint,
    /// A log of the steps, if wanted.
    pub story: Option<String>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn new(tasks: usize, rules: Rules) -> Shared {
        Rc::new(RefCell::new(Self {
            redis: Redis::with_generations(),
            row: 0,
            promises: Promises::new(rules.acknowledged_only),
            now_ms: START_MS,
            steps: Steps::new(tasks),
            drawn: vec![0; tasks],
            connections: vec![0; tasks],
            seen: vec![0; tasks],
            writing: BTreeSet::new(),
            written: BTreeSet::new(),
            ended: BTreeSet::new(),
            reads_begin_late: false,
            beginning: BTreeSet::new(),
            spawned: BTreeMap::new(),
            checking: BTreeSet::new(),
            failed: BTreeSet::new(),
            rules,
            violation: None,
            footprint: Footprint::default(),
            story: None,
        }))
    }

    /// Lets a step happen on behalf of a task that waits for it.
    pub fn grant(&mut self, id: StepId) {
        let step = self.steps.waiting[&id].0.clone();
        self.end_beginning(id.0);
        let outcome = self.perform(id.0, &step);
        self.complete(id, &step, outcome);
    }

    /// Loses the reply to a command, or the command itself.
    pub fn lose(&mut self, id: StepId, takes_effect: bool) {
        let step = self.steps.waiting[&id].0.clone();
        self.end_beginning(id.0);
        if takes_effect {
            self.perform(id.0, &step);
        } else {
            let mut footprint = std::mem::take(&mut self.footprint);
            self.touch(&step, &mut footprint);
            self.footprint = footprint;
        }
        self.complete(id, &step, Outcome::Lost);
    }

    fn complete(&mut self, id: StepId, step: &Step, outcome: Outcome) {
        let mut hasher = DefaultHasher::new();
        (id, step, self.what_matters(step, &outcome)).hash(&mut hasher);
        // A sum, because the task cannot know in which order its parallel steps happened.
        self.seen[id.0] = self.seen[id.0].wrapping_add(hasher.finish() | 1);
        self.steps.finish(id, outcome);
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
        let mut footprint = std::mem::take(&mut self.footprint);
        self.touch(step, &mut footprint);
        self.footprint = footprint;
        match step {
            Step::Start => {
                self.read_begins(task);
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
            // Registries only serve to list and count. Whether an entry is current must not depend on them.
            Step::Redis(command, _) if is_registry(step) => match command.as_str() {
                "RENAME" => Outcome::Refused,
                "ZRANGE" => Outcome::Redis(vec![]),
                _ => Outcome::Redis(vec![Reply::Int(1)]),
            },
            Step::Redis(..) if self.rules.eager && is_lease(step) => Outcome::Redis(vec![Reply::Status("OK".into())]),
            Step::Redis(..) if self.rules.eager && is_list_version(step) => Outcome::Redis(vec![Reply::Int(i64::MAX)]),
            Step::Redis(command, args) => {
                let is_verdict = |arg: &Arg| matches!(arg, Arg::Bytes(field) if field.ends_with(b":stale"));
                if command == "HINCRBY" && args.iter().any(is_verdict) {
                    self.violation.get_or_insert_with(|| format!("a check by {task} calls an entry stale"));
                }
                let mut args = args.clone();
                match self.rules.weakness.and_then(|weak| weak.reply(task, command, &mut args, self)) {
                    Some(instead) => {
                        self.footprint.add_everything();
                        Outcome::Redis(instead)
                    }
                    None => self.redis.run(command, &args).into(),
                }
            }
            Step::OnDedicated(connection, command, args) => {
                let defects =
                    Defects { exec: self.rules.weakness == Some(Weakness::ReplacedWithoutWatch), watch: false };
                self.redis.run_on(*connection, command, args.clone(), defects).into()
            }
        }
    }

    /// Adds to a footprint what a step would read and change now.
    pub fn touch(&self, step: &Step, footprint: &mut Footprint) {
        // These steps change nothing, and the replies are always the same.
        let is_constant = is_registry(step) || self.rules.eager && (is_lease(step) || is_list_version(step));
        if !is_constant {
            step.touch(&self.redis.transactions, footprint);
        }
    }

    /// The promises, to change them.
    pub fn promises(&mut self) -> &mut Promises {
        self.footprint.writes("promises");
        &mut self.promises
    }

    /// The next command of a task begins a read.
    pub fn will_read(&mut self, task: usize) {
        self.beginning.insert(task);
    }

    fn end_beginning(&mut self, task: usize) {
        if self.beginning.remove(&task) {
            self.read_begins(task);
        }
    }

    fn read_begins(&mut self, task: usize) {
        self.footprint.reads("promises");
        self.footprint.reads("row");
        self.promises.read_begins(task, self.row);
    }

    /// A read of a task has ended: see [`Promises::read_ends`].
    pub fn read_ends(&mut self, task: usize, value: u64, bypassed: bool) {
        self.footprint.reads("promises");
        if let Some(what) = self.promises.read_ends(task, value, bypassed) {
            self.violation.get_or_insert(what);
        }
    }

    /// A read of a task has failed.
    pub fn read_fails(&mut self, task: usize) {
        self.promises.forget(task);
    }

    /// A write of the row was acknowledged to its task.
    pub fn acknowledged(&mut self, value: u64) {
        if self.rules.acknowledged_only {
            self.promises().written(value);
        }
    }

    /// Evicts a key.
    pub fn evict(&mut self, key: &str) {
        self.footprint.writes(crate::step::key(key.as_bytes()));
        self.redis.remove(key);
        if self.promises.disturb() {
            self.footprint.writes("promises");
        } else {
            self.footprint.reads("promises");
        }
    }

    /// The part of an outcome that the next steps of the task may depend on: for an INCR, whether the version was lost;
    /// for an UPDATE, the value that it will acknowledge.
    fn what_matters(&self, step: &Step, outcome: &Outcome) -> Option<Outcome> {
        match (step, outcome) {
            (Step::Redis(command, _), Outcome::Redis(replies)) if command == "INCR" => {
                let lost = matches!(replies[..], [Reply::Int(number)] if number < START_MS as i64);
                lost.then_some(Outcome::Done)
            }
            (Step::Update, _) if !self.rules.acknowledged_only => None,
            _ => Some(outcome.clone()),
        }
    }

    fn others_wait_on(&self, id: StepId, connection: ConnectionId) -> bool {
        let mut others = self.steps.waiting.iter().filter(|(other, _)| **other != id);
        others.any(|(_, (step, _))| step.connection() == Some(connection))
    }

    /// Whether a task has taken a step.
    pub fn has_begun(&self, task: usize) -> bool {
        self.seen[task] != 0 || self.ended.contains(&task)
    }

    /// Forgets the state of a task that has ended.
    pub fn forget(&mut self, task: usize) {
        (self.seen[task], self.drawn[task]) = (0, 0);
        self.promises.forget(task);
        self.writing.remove(&task);
        self.written.remove(&task);
        self.checking.remove(&task);
        self.failed.remove(&task);
        self.beginning.remove(&task);
        self.ended.insert(task);
    }

    /// Everything that the future depends on.
    pub fn digest(&self, hasher: &mut impl Hasher) {
        (&self.redis, self.row, &self.promises, self.now_ms, &self.seen).hash(hasher);
        for (id, (step, _)) in &self.steps.waiting {
            (id, step).hash(hasher);
        }
    }
}

impl Stepper for World {
    type Step = Step;
    type Outcome = Outcome;

    fn steps(&mut self) -> &mut Steps<Step, Outcome> {
        &mut self.steps
    }

    fn on_start(&mut self, id: StepId) {
        let step = &self.steps.waiting[&id].0;
        // A WATCH that was sent may arrive before the MULTI or after it.
        let alone = || step.connection().is_none_or(|it| !self.others_wait_on(id, it));
        let begins = self.beginning.contains(&id.0);
        if self.rules.eager && !begins && commutes(step, self.rules.ttls) && alone() {
            self.grant(id);
        }
    }
}
