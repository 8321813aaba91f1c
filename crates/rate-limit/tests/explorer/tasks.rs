//! The instances under test: each has a limiter of its own and sends requests of the same client.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use rate_limit::{Class, Decision, Policy, RateLimiter, Settings};

use crate::simulated::{SimRedis, SimRuntime};
use crate::world::{CLIENT, Shared, WINDOW_MS};

pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The work of an instance that receives `requests` requests, one after the other, and its background work.
pub fn task(requests: u32, number: usize, world: &Shared) -> (Task, Rc<RefCell<Vec<Task>>>) {
    let world = Rc::clone(world);
    let background = Rc::default();
    let runtime = Rc::new(SimRuntime(Rc::clone(&world), Rc::clone(&background)));
    let limiter = RateLimiter::new(SimRedis(Rc::clone(&world)), runtime, Settings::default());
    let policy = Policy::new(world.borrow().rules.limit, WINDOW_MS).expect("valid");
    let class = Class::api(policy);
    let work = async move {
        for _ in 0..requests {
            let window = world.borrow().now_ms / WINDOW_MS;
            let decision = limiter.check(&class, CLIENT, 1).await;
            world.borrow_mut().decided(number, window, matches!(decision, Decision::Allowed(_)));
        }
    };
    (Box::pin(work), background)
}
