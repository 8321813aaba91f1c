//! An execution of a scenario: requests in the simulated world, and what may happen next.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Context, Waker};

use interleavings::{Execution as _, Footprint, StepId};
use versioned_cache::Settings;

use crate::redis::Value;
use crate::step::{Step, key as key_object};
use crate::tasks::{Role, Task, instance, task};
use crate::world::{Rules, Shared, World};

/// Longer than any entry lives, jitter included.
const LONGEST_TTL_MS: u64 = 331_000;

/// What may go wrong, and how often.
///
/// The death of a request needs no fault of its own. A dead request takes no further step, and every read is checked as
/// soon as it returns. So an interleaving in which a request dies at a step begins like one in which it waits there.
/// Only the consequences of a death need faults.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Faults {
    /// Writers die mid-write and their marks expire, long after their statements have ended or were cancelled.
    pub ends_of_marks: u32,
    /// Requests are cancelled after any step while their instance lives on. What they had sent may still take effect.
    pub cancellations: u32,
    /// Keys are evicted: any except marks.
    pub evictions: u32,
    /// FLUSHALL, which removes marks, too.
    pub flushes: u32,
    /// Commands or their replies are lost.
    pub losses: u32,
    /// The source fails.
    pub failed_selects: u32,
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub roles: Vec<Role>,
    /// All requests run on one instance and share its hints and fills. Otherwise each has an instance of its own.
    pub shared_instance: bool,
    /// At the beginning the row exists and is cached. Otherwise there is no row and nothing is cached.
    pub warm: bool,
    /// Then the module was invalidated, and the outdated entry is still in Redis.
    pub outdated: bool,
    /// Then the entry has ended. Its key is still in Redis.
    pub ended: bool,
    pub faults: Faults,
    pub rules: Rules,
    pub settings: Settings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Grant(StepId),
    /// A SELECT fails.
    Fail(StepId),
    /// A command is lost, or takes effect (`true`) and its reply is lost.
    Lose(StepId, bool),
    Cancel(usize),
    /// A command that a cancelled task had sent takes effect.
    Late(usize),
    Evict(String),
    Flush,
    /// All writers under way die, and their marks expire.
    MarksEnd,
}

pub struct Execution {
    pub world: Shared,
    tasks: Vec<Option<Task>>,
    late: Vec<(usize, Step)>,
    faults: Faults,
    roles: Vec<Role>,
    shared: bool,
    mark_ms: u64,
}

/// The steps to a violation, one line each.
pub fn story(scenario: &Scenario, path: &[Action]) -> String {
    let mut execution = Execution::new(scenario);
    execution.world.borrow_mut().story = Some(String::new());
    for action in path {
        if !matches!(action, Action::Grant(_)) {
            execution.world.borrow_mut().tell(&format!("{action:?}"));
        }
        execution.apply(action);
    }
    execution.world.borrow_mut().story.take().expect("set above")
}

impl Execution {
    pub fn new(scenario: &Scenario) -> Self {
        let count = scenario.roles.len();
        // One more task warms the cache. It has ended when the search begins.
        let world = World::new(count + 1, scenario.rules);
        // A read may join another one of its instance when it arrives.
        world.borrow_mut().reads_begin_late = scenario.rules.eager && !scenario.shared_instance;
        let shared = instance(&world, scenario.settings);
        let own = || if scenario.shared_instance { Rc::clone(&shared) } else { instance(&world, scenario.settings) };
        let mut tasks: Vec<Option<Task>> =
            scenario.roles.iter().enumerate().map(|(at, role)| Some(task(*role, at, &world, &own()))).collect();
        tasks.push(Some(task(Role::warming(&scenario.roles), count, &world, &own())));
        let mut execution = Self {
            world,
            tasks,
            late: Vec::new(),
            faults: scenario.faults,
            roles: scenario.roles.clone(),
            shared: scenario.shared_instance,
            mark_ms: scenario.settings.mark_ms,
        };
        if scenario.rules.ttls {
            execution.world.borrow_mut().redis.simulate_ttls(scenario.settings.mark_ms as i64);
        }
        if scenario.warm {
            execution.world.borrow_mut().row = 1;
            execution.poll(count);
            while execution.tasks[count].is_some() {
                let next = execution.world.borrow().steps.waiting.keys().find(|id| id.0 == count).copied();
                execution.apply(&Action::Grant(next.expect("the warming task is not stuck")));
            }
        }
        execution.tasks.pop();
        if scenario.outdated {
            execution.world.borrow_mut().redis.outdate("cache:generation:kv");
        }
        if scenario.ended {
            execution.world.borrow_mut().now_ms += LONGEST_TTL_MS;
        }
        for at in 0..count {
            execution.poll(at);
        }
        execution
    }

    fn poll(&mut self, at: usize) {
        self.world.borrow_mut().steps.current = at;
        let Some(running) = &mut self.tasks[at] else { return };
        let is_ready = running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let mut world = self.world.borrow_mut();
        world.footprint.writes(("task", at));
        if self.shared {
            world.footprint.writes("instance");
        }
        if is_ready {
            drop(world);
            self.tasks[at] = None;
            let mut world = self.world.borrow_mut();
            world.footprint.writes("ends");
            world.forget(at);
        }
    }

    /// If two requests have the same role on equal instances, only the first of them may begin first.
    fn may_begin(&self, at: usize) -> bool {
        let world = self.world.borrow();
        self.shared || at == 0 || self.roles[at - 1] != self.roles[at] || world.has_begun(at) || world.has_begun(at - 1)
    }

    /// Adds to the footprint that a fault happens: how many are left, and that not all tasks have ended.
    fn use_up(&self, faults: &'static str) {
        let mut world = self.world.borrow_mut();
        world.footprint.writes(faults);
        world.footprint.reads("ends");
    }

    fn kill(&mut self, at: usize) {
        let sent: Vec<(usize, Step)> = {
            let world = self.world.borrow();
            let of_task = world.steps.waiting.iter().filter(|(id, _)| id.0 == at);
            of_task.map(|(id, (step, _))| (id.0, step.clone())).collect()
        };
        self.late.extend(sent.into_iter().filter(|(_, step)| step.is_command() || *step == Step::Update));
        // The server still receives what was sent on a connection before the client closed it.
        let transactions = self.world.borrow().redis.transactions.clone();
        self.tasks[at] = None;
        for (_, step) in &self.late {
            if let Some(connection) = step.connection() {
                self.world.borrow_mut().redis.transactions.restore(connection, &transactions);
            }
        }
        self.world.borrow_mut().forget(at);
    }
}

impl Drop for Execution {
    /// What was spawned owns its cache, which owns the world.
    fn drop(&mut self) {
        let spawned = std::mem::take(&mut self.world.borrow_mut().spawned);
        drop(spawned);
    }
}

impl interleavings::Execution for Execution {
    type Action = Action;

    /// The steps that may be taken, then the faults that may happen.
    fn enabled(&self) -> Vec<Action> {
        let world = self.world.borrow();
        let mut actions: Vec<Action> =
            world.steps.waiting.keys().filter(|id| self.may_begin(id.0)).copied().map(Action::Grant).collect();
        if actions.is_empty() {
            return actions;
        }
        actions.extend((0..self.late.len()).map(Action::Late));
        if self.faults.losses > 0 {
            let commands = world.steps.waiting.iter().filter(|(_, (step, _))| step.is_command());
            let commands: Vec<StepId> = commands.map(|(id, _)| *id).filter(|id| self.may_begin(id.0)).collect();
            actions.extend(commands.into_iter().flat_map(|id| [Action::Lose(id, true), Action::Lose(id, false)]));
        }
        if self.faults.failed_selects > 0 {
            let selects = world.steps.waiting.iter().filter(|(_, (step, _))| *step == Step::Select);
            actions.extend(selects.map(|(id, _)| Action::Fail(*id)));
        }
        if self.faults.cancellations > 0 {
            actions.extend((0..self.tasks.len()).filter(|at| self.tasks[*at].is_some()).map(Action::Cancel));
        }
        let marks = |value: &Value| matches!(value, Value::Marks(_));
        if self.faults.evictions > 0 {
            // An eviction shows only when a step touches the key. So it is enough that it happens while such a step
            // is next: an earlier eviction commutes with all that happens until then.
            let mut next = Footprint::default();
            world.steps.waiting.values().for_each(|(step, _)| world.touch(step, &mut next));
            self.late.iter().for_each(|(_, step)| world.touch(step, &mut next));
            // Evicting an entry under an outdated version is useless: a request that still reads it would only get a
            // newer row.
            let version = world.redis.int("user:version:42").map(|number| format!("-v{number}:"));
            let generation = |key: &str| key.starts_with("cache:generation:") && !world.rules.evict_generations;
            let current = |key: &str| {
                !generation(key) && (!key.contains("-v") || version.as_ref().is_some_and(|now| key.contains(now)))
            };
            let evictable = world
                .redis
                .keys
                .iter()
                .filter(|(key, value)| !marks(value) && next.contains(key_object(key.as_bytes())) && current(key));
            actions.extend(evictable.map(|(key, _)| Action::Evict(key.clone())));
        }
        if self.faults.flushes > 0 {
            actions.push(Action::Flush);
        }
        if self.faults.ends_of_marks > 0 && world.redis.keys.values().any(marks) {
            actions.push(Action::MarksEnd);
        }
        actions
    }

    fn is_step(action: &Action) -> bool {
        matches!(action, Action::Grant(_))
    }

    fn apply(&mut self, action: &Action) {
        self.world.borrow_mut().footprint = Footprint::default();
        match action {
            Action::Grant(id) => {
                self.world.borrow_mut().grant(*id);
                self.poll(id.0);
            }
            Action::Lose(id, takes_effect) => {
                self.faults.losses -= 1;
                self.use_up("losses");
                self.world.borrow_mut().lose(*id, *takes_effect);
                self.poll(id.0);
            }
            Action::Fail(id) => {
                self.faults.failed_selects -= 1;
                self.use_up("failures");
                let mut world = self.world.borrow_mut();
                world.failed.insert(id.0);
                world.lose(*id, false);
                drop(world);
                self.poll(id.0);
            }
            Action::Cancel(at) => {
                self.faults.cancellations -= 1;
                self.world.borrow_mut().footprint.add_everything();
                self.kill(*at);
            }
            Action::Late(at) => {
                let (task, step) = self.late.remove(*at);
                self.use_up("late");
                self.world.borrow_mut().perform(task, &step);
            }
            Action::Evict(key) => {
                self.faults.evictions -= 1;
                self.use_up("evictions");
                let mut world = self.world.borrow_mut();
                // Whether an entry may be evicted depends on its version.
                world.footprint.reads(key_object(b"user:version:42"));
                world.evict(key);
            }
            Action::Flush => {
                self.faults.flushes -= 1;
                let mut world = self.world.borrow_mut();
                world.footprint.add_everything();
                let keys: Vec<String> = world.redis.keys.keys().cloned().collect();
                keys.iter().for_each(|key| world.evict(key));
            }
            Action::MarksEnd => {
                self.faults.ends_of_marks -= 1;
                self.world.borrow_mut().footprint.add_everything();
                let dying: Vec<usize> = self.world.borrow().writing.iter().copied().collect();
                dying.into_iter().for_each(|at| self.kill(at));
                self.late.retain(|(_, step)| *step != Step::Update);
                let mut world = self.world.borrow_mut();
                world.now_ms += self.mark_ms + 1;
                world.redis.keys.retain(|_, value| !matches!(value, Value::Marks(_)));
            }
        }
    }

    fn violation(&self) -> Option<String> {
        let world = self.world.borrow();
        let ended = || self.tasks.iter().all(Option::is_none);
        let wrong_ttl = || {
            let scoped = ["user:version:42", "cache:generation:default", "cache:generation:default:default"];
            let named = ["cache:version:kv:get:x", "cache:generation:kv", "cache:generation:kv:get"];
            let wrong = world.redis.wrong_ttl("user:cache:42-v", &scoped);
            wrong.or_else(|| world.redis.wrong_ttl("cache:entry:kv:get:x", &named))
        };
        world.violation.clone().or_else(|| if world.rules.ttls && ended() { wrong_ttl() } else { None })
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.world.borrow().digest(&mut hasher);
        (&self.late, self.faults).hash(&mut hasher);
        for task in &self.tasks {
            task.is_some().hash(&mut hasher);
        }
        hasher.finish()
    }

    fn footprint(&mut self) -> Footprint {
        std::mem::take(&mut self.world.borrow_mut().footprint)
    }
}
