//! How the tasks of a simulated world wait for the explorer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The number of the task, and of the step within the task.
pub type StepId = (usize, u32);

/// The steps of a world's tasks. `S` is a step, such as a command; `O` is its outcome, such as a reply.
pub struct Steps<S, O> {
    /// The task that is being polled. Set this before you poll a task.
    pub current: usize,
    /// Per task: the number of steps that it has started.
    pub started: Vec<u32>,
    /// The steps that tasks wait for.
    pub waiting: BTreeMap<StepId, (S, Option<Waker>)>,
    /// Outcomes that their tasks have not received yet.
    pub done: BTreeMap<StepId, O>,
}

impl<S, O> Steps<S, O> {
    /// No steps yet, for this number of tasks.
    pub fn new(tasks: usize) -> Self {
        Self { current: 0, started: vec![0; tasks], waiting: BTreeMap::new(), done: BTreeMap::new() }
    }

    /// Passes a step's outcome to its task and wakes the task. Returns the step.
    ///
    /// # Panics
    /// If no task waits for the step.
    pub fn finish(&mut self, id: StepId, outcome: O) -> S {
        let (step, waker) = self.waiting.remove(&id).expect("a task waits for the step");
        self.done.insert(id, outcome);
        if let Some(waker) = waker {
            waker.wake();
        }
        step
    }
}

/// A world whose tasks take steps.
pub trait Stepper {
    /// A step, such as a command.
    type Step: Unpin;
    /// Its outcome, such as a reply.
    type Outcome;

    /// The steps of the tasks.
    fn steps(&mut self) -> &mut Steps<Self::Step, Self::Outcome>;

    /// Called when a task starts to wait for a step. If the step commutes with all steps of other tasks, the world may
    /// perform it now, which makes the search smaller.
    fn on_start(&mut self, id: StepId);

    /// Called when a task stops waiting for a step: it was dropped.
    fn on_cancel(&mut self, _id: StepId) {}
}

/// The future that [`wait`] returns.
pub struct Wait<W: Stepper> {
    world: Rc<RefCell<W>>,
    id: Option<StepId>,
    step: Option<W::Step>,
}

/// Starts a step of the current task, waits until the explorer has performed it, and returns the outcome.
pub fn wait<W: Stepper>(world: &Rc<RefCell<W>>, step: W::Step) -> Wait<W> {
    Wait { world: Rc::clone(world), id: None, step: Some(step) }
}

impl<W: Stepper> Future for Wait<W> {
    type Output = W::Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<W::Outcome> {
        let shared = Rc::clone(&self.world);
        let mut world = shared.borrow_mut();
        if let Some(step) = self.step.take() {
            let steps = world.steps();
            let id = (steps.current, steps.started[steps.current]);
            steps.started[id.0] += 1;
            steps.waiting.insert(id, (step, None));
            self.id = Some(id);
            world.on_start(id);
        }
        let id = self.id.expect("set at the first poll");
        let steps = world.steps();
        if let Some(outcome) = steps.done.remove(&id) {
            return Poll::Ready(outcome);
        }
        if let Some((_, waker)) = steps.waiting.get_mut(&id) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl<W: Stepper> Drop for Wait<W> {
    fn drop(&mut self) {
        if let (Some(id), Ok(mut world)) = (self.id, self.world.try_borrow_mut()) {
            world.on_cancel(id);
            let steps = world.steps();
            steps.waiting.remove(&id);
            steps.done.remove(&id);
        }
    }
}
