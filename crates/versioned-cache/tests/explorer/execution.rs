//! Requests under way in the simulated world, and what may happen to them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Context, Waker};

use interleavings::{Execution as _, StepId};
use versioned_cache::Settings;

use crate::redis::Value;
use crate::step::Step;
use crate::tasks::{Role, Task, cache, task};
use crate::world::{Rules, Shared, World};

/// What may go wrong, and how often.
///
/// A request that is killed takes no further step. Every read is checked as soon as it answers, so the interleavings in
/// which a request rests from some step on for ever are those in which it is killed there, whether what it has sent last
/// takes effect or not. What needs an action of its own is only what a death sets off.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Faults {
    /// The marks of writers that died in mid-write run out, long after their statements have ended or been given up.
    pub ends_of_marks: u32,
    /// Requests cancelled after any step while their instance lives on; what they had sent may still take effect.
    pub cancellations: u32,
    /// Keys evicted: any but marks.
    pub evictions: u32,
    /// FLUSHALL: marks too.
    pub flushes: u32,
    /// Commands that are lost on their way, or whose replies are.
    pub losses: u32,
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub roles: Vec<Role>,
    /// All requests on one instance, sharing its hints and fills, instead of one instance each.
    pub shared_instance: bool,
    /// The row exists and is cached when it begins; else there is no row and nothing is cached.
    pub warm: bool,
    /// The module has been invalidated since, and the entry stands there still.
    pub outdated: bool,
    pub faults: Faults,
    pub rules: Rules,
    pub settings: Settings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Grant(StepId),
    /// A command takes no effect, or none that its task gets to know of.
    Lose(StepId, bool),
    Cancel(usize),
    /// What a cancelled task had sent takes effect.
    Late(usize),
    Evict(String),
    Flush,
    /// The writers under way die, and their marks end.
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

/// What happened on the way to a violation, a line each.
pub fn story(scenario: &Scenario, path: &[Action]) -> String {
    let mut execution = Execution::new(scenario);
    execution.world.borrow_mut().story = Some(String::new());
    for action in path {
        if !matches!(action, Action::Grant(_)) {
            execution.world.borrow_mut().tell(&format!("{action:?}"));
        }
        execution.apply(action);
    }
    execution.world.borrow_mut().story.take().expect("told above")
}

impl Execution {
    pub fn new(scenario: &Scenario) -> Self {
        let count = scenario.roles.len();
        // One task more, which warms the cache and is gone when the search begins.
        let world = World::new(count + 1, scenario.rules);
        let shared = cache(&world, scenario.settings);
        let own = || if scenario.shared_instance { Rc::clone(&shared) } else { cache(&world, scenario.settings) };
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
        for at in 0..count {
            execution.poll(at);
        }
        execution
    }

    fn poll(&mut self, at: usize) {
        self.world.borrow_mut().steps.current = at;
        let Some(running) = &mut self.tasks[at] else { return };
        if running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            self.tasks[at] = None;
            self.world.borrow_mut().forget(at);
        }
    }

    /// Of requests that do the same, on instances that are the same, it does not matter which is first.
    fn may_begin(&self, at: usize) -> bool {
        let world = self.world.borrow();
        self.shared || at == 0 || self.roles[at - 1] != self.roles[at] || world.has_begun(at) || world.has_begun(at - 1)
    }

    fn kill(&mut self, at: usize) {
        let sent: Vec<(usize, Step)> = {
            let world = self.world.borrow();
            let of_task = world.steps.waiting.iter().filter(|(id, _)| id.0 == at);
            of_task.map(|(id, (step, _))| (id.0, step.clone())).collect()
        };
        self.late.extend(sent.into_iter().filter(|(_, step)| step.is_command() || *step == Step::Update));
        // What was sent on a connection before it was closed is heard all the same.
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
        if self.faults.cancellations > 0 {
            actions.extend((0..self.tasks.len()).filter(|at| self.tasks[*at].is_some()).map(Action::Cancel));
        }
        let marks = |value: &Value| matches!(value, Value::Marks(_));
        if self.faults.evictions > 0 {
            // Without an entry under a version that is not current, whoever still asks for it only gets a newer row.
            let version = world.redis.int("user:version:42").map(|number| format!("-v{number}:"));
            let generation = |key: &str| key.starts_with("cache:generation:") && !world.rules.evict_generations;
            let current = |key: &str| {
                !generation(key) && (!key.contains("-v") || version.as_ref().is_some_and(|now| key.contains(now)))
            };
            let evictable = world.redis.keys.iter().filter(|(key, value)| !marks(value) && current(key));
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
        match action {
            Action::Grant(id) => {
                self.world.borrow_mut().grant(*id);
                self.poll(id.0);
            }
            Action::Lose(id, takes_effect) => {
                self.faults.losses -= 1;
                self.world.borrow_mut().lose(*id, *takes_effect);
                self.poll(id.0);
            }
            Action::Cancel(at) => {
                self.faults.cancellations -= 1;
                self.kill(*at);
            }
            Action::Late(at) => {
                let (task, step) = self.late.remove(*at);
                self.world.borrow_mut().perform(task, &step);
            }
            Action::Evict(key) => {
                self.faults.evictions -= 1;
                let mut world = self.world.borrow_mut();
                world.redis.remove(key);
                world.promises.disturb();
            }
            Action::Flush => {
                self.faults.flushes -= 1;
                let mut world = self.world.borrow_mut();
                let keys: Vec<String> = world.redis.keys.keys().cloned().collect();
                keys.iter().for_each(|key| drop(world.redis.remove(key)));
                world.promises.disturb();
            }
            Action::MarksEnd => {
                self.faults.ends_of_marks -= 1;
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
        self.world.borrow().violation.clone()
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
}
