//! The clients that are explored: the crate's real operations, on an instance each.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use token_lock::{Acquired, Extended, Locks, Released, Resource, Settings};

use crate::simulated::{SimRedis, SimRuntime};
use crate::world::Shared;

pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Of every lock; time passes by halves of it.
pub const TTL_MS: u64 = 1_000;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Acquires, extends, releases: this many times.
    Holder(u32),
    /// Acquires and releases: this many times.
    Brief(u32),
}

/// A client's work, and what it leaves to the background.
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
    // An answer that came too late is no grant: then there is nothing to do.
    let Ok(Acquired::Granted(grants)) = locks.acquire(std::slice::from_ref(&resource), TTL_MS).await else { return };
    let [grant] = grants.as_slice() else { panic!("one was asked for") };
    world.borrow_mut().check_grant(number, grant);
    world.borrow_mut().conclude(number, ("granted", grant.token.as_str()));
    if matches!(role, Role::Holder(_)) {
        let extended = locks.extend(&resource, &grant.token, TTL_MS).await.expect("Redis answers");
        if let Extended::Until { expires_at_ms } = extended {
            world.borrow_mut().check_holder(number, grant.token.as_str(), expires_at_ms);
        }
        world.borrow_mut().conclude(number, ("extended", grant.token.as_str()));
    }
    let released = locks.release(&resource, &grant.token).await.expect("Redis answers");
    world.borrow_mut().check_release(number, grant.token.as_str(), released == Released::Removed);
}
