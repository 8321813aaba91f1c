//! Clients under way in the simulated world, and what may happen to them.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Context, Waker};

use interleavings::{Execution as _, StepId};

use crate::redis::Flavour;
use crate::tasks::{Role, TTL_MS, Task, task};
use crate::world::{Rules, Shared, World};

/// What may happen besides the clients' steps, and how often.
///
/// A client that is killed takes no further step. Everything is checked as soon as it happens, so the interleavings in
/// which a client rests from some step on for ever are those in which it is killed there, whether what it has sent last
/// takes effect or not; and those in which it rests for long are those of a client that was paused, or whose commands
/// were delayed on their way.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Faults {
    /// Half a TTL passes at once.
    pub half_ttls: u32,
    /// A TTL passes at once.
    pub ttls: u32,
    /// A command takes effect, but its answer is delayed.
    pub delays: u32,
    /// A counter is evicted (or any key, where locks may vanish).
    pub evictions: u32,
    /// A server loses everything.
    pub flushes: u32,
    /// A server is replaced by one that does not know the single commands.
    pub downgrades: u32,
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub roles: Vec<Role>,
    /// The counter exists when it begins.
    pub warm: bool,
    pub faults: Faults,
    pub rules: Rules,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A command takes effect and is answered.
    Grant(StepId),
    /// A command takes effect.
    TakeEffect(StepId),
    /// It is answered.
    Deliver(StepId),
    Pass(u64),
    Evict(usize, String),
    Flush(usize),
    Downgrade(usize),
}

pub struct Execution {
    pub world: Shared,
    tasks: Vec<Option<Task>>,
    background: Vec<Rc<RefCell<Vec<Task>>>>,
    faults: Faults,
    roles: Vec<Role>,
}

impl Drop for Execution {
    /// What runs in the background holds on to itself.
    fn drop(&mut self) {
        self.tasks.clear();
        self.background.iter().for_each(|work| drop(work.take()));
    }
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
        let world = World::new(scenario.roles.len(), scenario.rules);
        if scenario.warm {
            world.borrow_mut().start_counters();
        }
        let begun = scenario.roles.iter().enumerate().map(|(at, role)| task(*role, at, &world));
        let (tasks, background) = begun.map(|(task, background)| (Some(task), background)).unzip();
        let mut execution = Self { world, tasks, background, faults: scenario.faults, roles: scenario.roles.clone() };
        (0..scenario.roles.len()).for_each(|at| execution.poll(at));
        execution
    }

    fn poll(&mut self, at: usize) {
        self.world.borrow_mut().steps.current = at;
        let mut context = Context::from_waker(Waker::noop());
        if let Some(running) = &mut self.tasks[at]
            && running.as_mut().poll(&mut context).is_ready()
        {
            self.tasks[at] = None;
            self.world.borrow_mut().forget(at);
        }
        let mut background = self.background[at].take();
        background.retain_mut(|work| work.as_mut().poll(&mut context).is_pending());
        self.background[at].borrow_mut().append(&mut background);
    }

    /// Of clients that do the same, it does not matter which is first.
    fn may_begin(&self, at: usize) -> bool {
        let world = self.world.borrow();
        at == 0 || self.roles[at - 1] != self.roles[at] || world.has_begun(at) || world.has_begun(at - 1)
    }
}

impl interleavings::Execution for Execution {
    type Action = Action;

    /// The steps that may be taken, then what else may happen.
    fn enabled(&self) -> Vec<Action> {
        let world = self.world.borrow();
        let on_its_way =
            world.steps.waiting.keys().filter(|id| !world.held_up.contains_key(id) && self.may_begin(id.0));
        let mut actions: Vec<Action> = on_its_way.copied().map(Action::Grant).collect();
        actions.extend(world.held_up.keys().copied().map(Action::Deliver));
        if actions.is_empty() {
            return actions;
        }
        if self.faults.delays > 0 {
            let delayed = actions.iter().filter_map(|action| match action {
                Action::Grant(id) => Some(Action::TakeEffect(*id)),
                _ => None,
            });
            actions.extend(delayed.collect::<Vec<_>>());
        }
        if self.faults.half_ttls > 0 {
            actions.push(Action::Pass(TTL_MS / 2));
        }
        if self.faults.ttls > 0 {
            actions.push(Action::Pass(TTL_MS));
        }
        for (at, redis) in world.servers.iter().enumerate() {
            if self.faults.evictions > 0 {
                let evictable = |key: &&String| world.rules.locks_may_vanish || key.starts_with("fencing:");
                actions.extend(redis.keys.keys().filter(evictable).map(|key| Action::Evict(at, key.clone())));
            }
            if self.faults.flushes > 0 {
                actions.push(Action::Flush(at));
            }
            if self.faults.downgrades > 0 && redis.flavour != Flavour::Plain {
                actions.push(Action::Downgrade(at));
            }
        }
        actions
    }

    fn is_step(action: &Action) -> bool {
        matches!(action, Action::Grant(_) | Action::Deliver(_))
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::Grant(id) => {
                self.world.borrow_mut().take_effect(*id);
                self.world.borrow_mut().deliver(*id);
                self.poll(id.0);
            }
            Action::TakeEffect(id) => {
                self.faults.delays -= 1;
                self.world.borrow_mut().take_effect(*id);
            }
            Action::Deliver(id) => {
                self.world.borrow_mut().deliver(*id);
                self.poll(id.0);
            }
            Action::Pass(ms) => {
                let left = if *ms == TTL_MS { &mut self.faults.ttls } else { &mut self.faults.half_ttls };
                *left -= 1;
                self.world.borrow_mut().pass(*ms);
            }
            Action::Evict(server, key) => {
                self.faults.evictions -= 1;
                self.world.borrow_mut().servers[*server].remove(key);
            }
            Action::Flush(server) => {
                self.faults.flushes -= 1;
                self.world.borrow_mut().servers[*server].flush();
            }
            Action::Downgrade(server) => {
                self.faults.downgrades -= 1;
                self.world.borrow_mut().servers[*server].flavour = Flavour::Plain;
            }
        }
    }

    fn violation(&self) -> Option<String> {
        self.world.borrow().violation.clone()
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.world.borrow().digest(&mut hasher);
        self.faults.hash(&mut hasher);
        for task in &self.tasks {
            task.is_some().hash(&mut hasher);
        }
        hasher.finish()
    }
}
