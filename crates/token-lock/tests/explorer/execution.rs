//! The state of one exploration: clients in the simulated world, and what may happen next.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Context, Waker};

use interleavings::{Execution as _, StepId};

use crate::redis::ServerKind;
use crate::tasks::{Role, TTL_MS, Task, task};
use crate::world::{Rules, Shared, World};

/// The faults that may happen between the clients' steps, and how often.
///
/// There is no fault that kills a client. A killed client takes no further step, and every invariant is checked at once
/// after each step. So the search covers it with the interleavings in which a client's next step comes last. In the
/// same way it covers clients that are paused and commands that are delayed on the network.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Faults {
    /// The clock advances by half a TTL.
    pub half_ttls: u32,
    /// The clock advances by one TTL.
    pub ttls: u32,
    /// A command takes effect, but its reply is delayed.
    pub delays: u32,
    /// A counter is evicted (or any key, if the rules allow that locks are lost).
    pub evictions: u32,
    /// A server loses everything.
    pub flushes: u32,
    /// A server without the single commands replaces one that has them.
    pub downgrades: u32,
}

/// What to explore.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub roles: Vec<Role>,
    /// The counters exist at the start.
    pub warm: bool,
    pub faults: Faults,
    pub rules: Rules,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A command takes effect, and its reply arrives.
    Run(StepId),
    /// A command takes effect.
    TakeEffect(StepId),
    /// Its reply arrives.
    DeliverReply(StepId),
    AdvanceClock(u64),
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
    /// Breaks the reference cycles of background tasks.
    fn drop(&mut self) {
        self.tasks.clear();
        self.background.iter().for_each(|work| drop(work.take()));
    }
}

/// Repeats the path to a violation, and returns one line per event.
pub fn log_of(scenario: &Scenario, path: &[Action]) -> String {
    let mut execution = Execution::new(scenario);
    execution.world.borrow_mut().log = Some(String::new());
    for action in path {
        if !matches!(action, Action::Run(_)) {
            execution.world.borrow_mut().log(&format!("{action:?}"));
        }
        execution.apply(action);
    }
    execution.world.borrow_mut().log.take().expect("set above")
}

impl Execution {
    pub fn new(scenario: &Scenario) -> Self {
        let world = World::new(scenario.roles.len(), scenario.rules);
        if scenario.warm {
            world.borrow_mut().start_counters();
        }
        let started = scenario.roles.iter().enumerate().map(|(at, role)| task(*role, at, &world));
        let (tasks, background) = started.map(|(task, background)| (Some(task), background)).unzip();
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

    /// Clients with the same role are interchangeable, so only one order of their first steps is explored.
    fn may_start(&self, at: usize) -> bool {
        let world = self.world.borrow();
        at == 0 || self.roles[at - 1] != self.roles[at] || world.has_started(at) || world.has_started(at - 1)
    }
}

impl interleavings::Execution for Execution {
    type Action = Action;

    /// The steps that are possible now, then the faults.
    fn enabled(&self) -> Vec<Action> {
        let world = self.world.borrow();
        let sent = world.steps.waiting.keys().filter(|id| !world.delayed.contains_key(id) && self.may_start(id.0));
        let mut actions: Vec<Action> = sent.copied().map(Action::Run).collect();
        actions.extend(world.delayed.keys().copied().map(Action::DeliverReply));
        if actions.is_empty() {
            return actions;
        }
        if self.faults.delays > 0 {
            let delayed = actions.iter().filter_map(|action| match action {
                Action::Run(id) => Some(Action::TakeEffect(*id)),
                _ => None,
            });
            actions.extend(delayed.collect::<Vec<_>>());
        }
        if self.faults.half_ttls > 0 {
            actions.push(Action::AdvanceClock(TTL_MS / 2));
        }
        if self.faults.ttls > 0 {
            actions.push(Action::AdvanceClock(TTL_MS));
        }
        for (at, redis) in world.servers.iter().enumerate() {
            if self.faults.evictions > 0 {
                // An eviction shows only when a command touches the key. So it is enough that it happens while such a
                // command is next: an earlier eviction commutes with all that happens until then.
                let is_next = |key: &str| {
                    let mut next = world.steps.waiting.values().map(|(step, _)| step).filter(|step| step.server == at);
                    next.any(|step| redis.may_touch(step.connection, &step.command, &step.args, key))
                };
                let evictable =
                    |key: &&String| (world.rules.locks_may_be_lost || key.starts_with("fencing:")) && is_next(key);
                actions.extend(redis.keys.keys().filter(evictable).map(|key| Action::Evict(at, key.clone())));
            }
            if self.faults.flushes > 0 {
                actions.push(Action::Flush(at));
            }
            if self.faults.downgrades > 0 && redis.kind != ServerKind::Plain {
                actions.push(Action::Downgrade(at));
            }
        }
        actions
    }

    fn is_step(action: &Action) -> bool {
        matches!(action, Action::Run(_) | Action::DeliverReply(_))
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::Run(id) => {
                self.world.borrow_mut().take_effect(*id);
                self.world.borrow_mut().deliver(*id);
                self.poll(id.0);
            }
            Action::TakeEffect(id) => {
                self.faults.delays -= 1;
                self.world.borrow_mut().take_effect(*id);
            }
            Action::DeliverReply(id) => {
                self.world.borrow_mut().deliver(*id);
                self.poll(id.0);
            }
            Action::AdvanceClock(ms) => {
                let left = if *ms == TTL_MS { &mut self.faults.ttls } else { &mut self.faults.half_ttls };
                *left -= 1;
                self.world.borrow_mut().advance_clock(*ms);
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
                self.world.borrow_mut().servers[*server].kind = ServerKind::Plain;
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
