//! How the tasks of a simulated world wait for their steps, which happen when the search lets them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Which step: the task's number and a count of its steps so far.
pub type StepId = (usize, u32);

/// The steps of the tasks of a world; `S` is a step, `O` what it brings.
pub struct Steps<S, O> {
    /// The task that is polled.
    pub current: usize,
    /// Per task: steps begun.
    pub begun: Vec<u32>,
    /// Steps whose tasks have no outcome yet.
    pub waiting: BTreeMap<StepId, (S, Option<Waker>)>,
    /// Outcomes that their tasks have not taken yet.
    pub done: BTreeMap<StepId, O>,
}

impl<S, O> Steps<S, O> {
    /// No steps, of so many tasks.
    pub fn of(tasks: usize) -> Self {
        Self { current: 0, begun: vec![0; tasks], waiting: BTreeMap::new(), done: BTreeMap::new() }
    }

    /// Gives a step's outcome to its task; the step.
    ///
    /// # Panics
    /// If nobody waits for it.
    pub fn finish(&mut self, id: StepId, outcome: O) -> S {
        let (step, waker) = self.waiting.remove(&id).expect("the step is waited for");
        self.done.insert(id, outcome);
        if let Some(waker) = waker {
            waker.wake();
        }
        step
    }
}

/// A world whose tasks wait.
pub trait Stage {
    /// What a task waits for.
    type Step: Unpin;
    /// What that brings.
    type Outcome;

    /// Its steps.
    fn steps(&mut self) -> &mut Steps<Self::Step, Self::Outcome>;

    /// A step has begun: if it concerns nobody else, whenever it happens, let it happen now, which keeps the search small.
    fn begun(&mut self, id: StepId);

    /// Nobody waits for a step any more.
    fn abandoned(&mut self, _id: StepId) {}
}

/// Waits until the search has let a step happen.
pub struct Wait<W: Stage> {
    world: Rc<RefCell<W>>,
    id: Option<StepId>,
    step: Option<W::Step>,
}

/// Waits for a step of the task that is polled first.
pub fn wait<W: Stage>(world: &Rc<RefCell<W>>, step: W::Step) -> Wait<W> {
    Wait { world: Rc::clone(world), id: None, step: Some(step) }
}

impl<W: Stage> Future for Wait<W> {
    type Output = W::Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<W::Outcome> {
        let shared = Rc::clone(&self.world);
        let mut world = shared.borrow_mut();
        if let Some(step) = self.step.take() {
            let steps = world.steps();
            let id = (steps.current, steps.begun[steps.current]);
            steps.begun[id.0] += 1;
            steps.waiting.insert(id, (step, None));
            self.id = Some(id);
            world.begun(id);
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

impl<W: Stage> Drop for Wait<W> {
    fn drop(&mut self) {
        if let (Some(id), Ok(mut world)) = (self.id, self.world.try_borrow_mut()) {
            world.abandoned(id);
            let steps = world.steps();
            steps.waiting.remove(&id);
            steps.done.remove(&id);
        }
    }
}
