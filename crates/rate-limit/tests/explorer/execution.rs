//! The state of one exploration: instances in the simulated world, and what may happen next.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Context, Waker};

use interleavings::{Execution as _, StepId};

use crate::tasks::{Task, task};
use crate::world::{Rules, Shared, WINDOW_MS, World};

/// The faults that may happen between the instances' steps, and how often.
///
/// There is no fault that kills an instance. A killed instance takes no further step, and the promises are checked
/// after each step. So the search covers it with the interleavings in which an instance's next step comes last, or
/// never. In the same way it covers instances that are paused and commands that are delayed on the network.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Faults {
    /// A client gives up waiting for a reply. The command arrives later, or never.
    pub losses: u32,
    /// A command takes effect, but its reply is delayed.
    pub delays: u32,
    /// A counter is evicted.
    pub evictions: u32,
    /// The clock advances by a window.
    pub windows: u32,
    /// The clock advances by the TTL of a counter.
    pub ttls: u32,
}

/// What to explore.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The number of requests of each instance.
    pub requests: Vec<u32>,
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
    /// The client of a command that has not arrived gives up.
    Lose(StepId),
    /// Such a command arrives.
    ArriveLate(usize),
    Evict(String),
    AdvanceClock(u64),
}

/// The time after which a counter has expired: its TTL of two windows and a second.
const TTL_MS: u64 = 2 * WINDOW_MS + 1_000;

pub struct Execution {
    pub world: Shared,
    tasks: Vec<Option<Task>>,
    background: Vec<Rc<RefCell<Vec<Task>>>>,
    faults: Faults,
    requests: Vec<u32>,
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
        let world = World::new(scenario.requests.len(), scenario.rules);
        let started = scenario.requests.iter().enumerate().map(|(at, requests)| task(*requests, at, &world));
        let (tasks, background) = started.map(|(task, background)| (Some(task), background)).unzip();
        let requests = scenario.requests.clone();
        let mut execution = Self { world, tasks, background, faults: scenario.faults, requests };
        (0..scenario.requests.len()).for_each(|at| execution.poll(at));
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

    /// Instances with as many requests are interchangeable, so only one order of their first steps is explored.
    fn may_start(&self, at: usize) -> bool {
        let world = self.world.borrow();
        at == 0 || self.requests[at - 1] != self.requests[at] || world.has_started(at) || world.has_started(at - 1)
    }
}

impl interleavings::Execution for Execution {
    type Action = Action;

    /// The steps that are possible now, then the faults.
    fn enabled(&self) -> Vec<Action> {
        let world = self.world.borrow();
        let sent = world.steps.waiting.keys().filter(|id| !world.delayed.contains_key(id) && self.may_start(id.0));
        let sent: Vec<StepId> = sent.copied().collect();
        let mut actions: Vec<Action> = sent.iter().copied().map(Action::Run).collect();
        actions.extend(world.delayed.keys().copied().map(Action::DeliverReply));
        actions.extend((0..world.late()).map(Action::ArriveLate));
        if actions.is_empty() {
            return actions;
        }
        if self.faults.losses > 0 {
            actions.extend(sent.iter().copied().map(Action::Lose));
        }
        if self.faults.delays > 0 {
            actions.extend(sent.iter().copied().map(Action::TakeEffect));
        }
        if self.faults.evictions > 0 {
            actions.extend(world.redis.keys.keys().cloned().map(Action::Evict));
        }
        if self.faults.windows > 0 {
            actions.push(Action::AdvanceClock(WINDOW_MS));
        }
        if self.faults.ttls > 0 {
            actions.push(Action::AdvanceClock(TTL_MS));
        }
        actions
    }

    fn is_step(action: &Action) -> bool {
        matches!(action, Action::Run(_) | Action::DeliverReply(_) | Action::ArriveLate(_))
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
            Action::Lose(id) => {
                self.faults.losses -= 1;
                self.world.borrow_mut().lose(*id);
                self.poll(id.0);
            }
            Action::ArriveLate(at) => self.world.borrow_mut().arrive_late(*at),
            Action::Evict(key) => {
                self.faults.evictions -= 1;
                let mut world = self.world.borrow_mut();
                world.redis.remove(key);
                world.has_lost_counters = true;
            }
            Action::AdvanceClock(ms) => {
                let left = if *ms == TTL_MS { &mut self.faults.ttls } else { &mut self.faults.windows };
                *left -= 1;
                self.world.borrow_mut().advance_clock(*ms);
            }
        }
    }

    fn violation(&self) -> Option<String> {
        let world = self.world.borrow();
        let has_ended = world.steps.waiting.is_empty() && world.late() == 0 && self.tasks.iter().all(Option::is_none);
        world.violation.clone().or_else(|| if has_ended { world.check_end() } else { None })
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
