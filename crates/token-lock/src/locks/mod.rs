//! [`Locks`]: each module adds one operation: acquire, release and extend, inspect, list, guard, count the servers that
//! evict keys, find servers that are the same. The module `compare` changes a lock on one server only if the lock holds
//! a token. The module `waiting` says which of several waiting requests asks next.

mod acquire;
mod compare;
mod distinct;
mod evicting;
pub(crate) mod guard;
mod inspect;
mod late_servers;
mod list;
mod release;
mod release_again;
mod release_on_drop;
mod waiting;

use std::cell::Cell;
use std::rc::Rc;

use ports::{Connect, Runtime};

pub(crate) use self::release_again::Unreleased;
use self::waiting::Lines;
use crate::quorum::Quorum;
use crate::settings::Settings;

/// The locks on one server, or on the majority of several independent ones. Create it once per instance: all requests
/// share it.
pub struct Locks<R: Connect, T> {
    quorum: Rc<Quorum<R, T>>,
    lines: Lines,
    /// The servers were compared, and are different ones.
    are_distinct: Cell<bool>,
}

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// Locks on `servers`: one, or an odd number of independent ones that are not replicas of each other.
    pub fn new(servers: Vec<R>, runtime: T, settings: Settings) -> Rc<Self> {
        Rc::new(Self {
            quorum: Rc::new(Quorum::new(servers, runtime, settings)),
            lines: Lines::default(),
            are_distinct: Cell::default(),
        })
    }
}
