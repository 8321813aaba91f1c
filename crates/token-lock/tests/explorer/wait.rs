//! How a task waits for its steps.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::step::{Answer, Step, StepId};
use crate::world::{Shared, World};

/// Waits until the search has let `step` happen.
pub struct Wait {
    world: Shared,
    id: Option<StepId>,
    step: Option<Step>,
}

pub fn wait(world: &Shared, step: Step) -> Wait {
    Wait { world: Rc::clone(world), id: None, step: Some(step) }
}

/// Steps that concern nobody else, whenever they happen: they happen at once, which keeps the search small.
fn commutes(world: &World, step: &Step) -> bool {
    // Who looks at a lock that is in the way goes away with what it has seen, and nothing depends on it.
    let looks = matches!(step.command.as_str(), "MGET" | "PTTL");
    let probes = step.args.first().is_some_and(|key| key.starts_with("probe:"));
    let Some(connection) = step.connection else { return looks || probes };
    match step.command.as_str() {
        "WATCH" | "EXEC" => false,
        // A WATCH on its way may come before it or after.
        "MULTI" => !world.waiting.values().any(|(other, _)| other.connection == Some(connection)),
        _ => true,
    }
}

impl Future for Wait {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let shared = Rc::clone(&self.world);
        let mut world = shared.borrow_mut();
        if let Some(step) = self.step.take() {
            let task = world.current;
            let id = (task, world.begun[task]);
            world.begun[task] += 1;
            self.id = Some(id);
            let eager = commutes(&world, &step);
            world.waiting.insert(id, (step, Some(context.waker().clone())));
            if eager {
                world.take_effect(id);
                world.deliver(id);
            }
        }
        let id = self.id.expect("set at the first poll");
        match world.done.remove(&id) {
            Some(answer) => Poll::Ready(answer),
            None => {
                if let Some((_, waker)) = world.waiting.get_mut(&id) {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let (Some(id), Ok(mut world)) = (self.id, self.world.try_borrow_mut()) {
            world.waiting.remove(&id);
            world.held_up.remove(&id);
            world.done.remove(&id);
        }
    }
}
