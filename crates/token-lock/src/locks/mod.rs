//! [`Locks`]: each module adds one operation: acquire, release and extend, inspect, list, guard, count the servers that
//! evict keys. The module `compare` changes a lock on one server only if the lock holds a token.

mod acquire;
mod compare;
mod evicting;
pub(crate) mod guard;
mod inspect;
mod list;
mod release;
mod release_on_drop;

use std::rc::Rc;

use ports::{Connect, Runtime};

use crate::quorum::Quorum;
use crate::settings::Settings;

/// The locks on one server, or on the majority of several independent ones. Create it once per instance: all requests
/// share it.
pub struct Locks<R: Connect, T> {
    quorum: Quorum<R, T>,
}

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// Locks on `servers`: one, or an odd number of independent ones that are not replicas of each other.
    pub fn new(servers: Vec<R>, runtime: T, settings: Settings) -> Rc<Self> {
        Rc::new(Self { quorum: Quorum::new(servers, runtime, settings) })
    }
}
