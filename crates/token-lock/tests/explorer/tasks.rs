//! The clients under test: each runs the crate's real operations on an instance of its own.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use token_lock::{Acquired, Extended, Locks, Released, Resource, Settings};

use crate::simulated::{SimRedis, SimRuntime};
use crate::world::Shared;

pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The TTL of every lock. The clock advances by halves of it.
pub const TTL_MS: u64 = 1_000;

/// What a client does, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Acquires, extends, releases.
    Holder(u32),
    /// Acquires and releases.
    Brief(u32),
}

/// A client's work, and its background work.
pub fn task(role: Role, number: usize, world: &Shared) -> (Task, Rc<RefCell<Vec<Task>>>) {
    let world = Rc::clone(world);
    let background = Rc::default();
    let servers = (0..world.borrow().servers.len()).map(|server| SimRedis::new(&world, server)).collect();
    let locks = Locks::new(servers, SimRuntime(Rc::clone(&world), Rc::clone(&background)), Settings::default());
    let work = async move {
        let (Role::Holder(times) | Role::Brief(times)) = role;
        for left in (0..times).rev() {
            hold(number, &world, &locks, role).await;
            world.borrow_mut().conclude(number, left);
        }
    };
    (Box::pin(work), background)
}

async fn hold(number: usize, world: &Shared, locks: &Locks<SimRedis, SimRuntime>, role: Role) {
    let resource = Resource::new("r").expect("a name");
    // A reply that came too late is no grant.
    let Ok(Acquired::Granted(grants)) = locks.acquire(std::slice::from_ref(&resource), TTL_MS).await else { return };
    let [grant] = grants.as_slice() else { panic!("one resource was requested") };
    world.borrow_mut().check_grant(number, grant);
    world.borrow_mut().conclude(number, ("granted", grant.token.as_str()));
    if matches!(role, Role::Holder(_)) {
        let extended = locks.extend(&resource, &grant.token, TTL_MS).await.expect("Redis replies");
        if let Extended::Until { expires_at_ms } = extended {
            world.borrow_mut().check_holder(number, grant.token.as_str(), expires_at_ms);
        }
        world.borrow_mut().conclude(number, ("extended", grant.token.as_str()));
    }
    let released = locks.release(&resource, &grant.token).await.expect("Redis replies");
    world.borrow_mut().check_release(number, grant.token.as_str(), released == Released::Removed);
}
