//! Dedicated connections that are idle and in no transaction.

use std::cell::RefCell;

/// How many idle connections a pool keeps.
const MAX: usize = 8;

/// Idle connections, for the next transaction.
pub struct ConnectionPool<C>(RefCell<Vec<C>>);

impl<C> Default for ConnectionPool<C> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<C> ConnectionPool<C> {
    /// The connection that was used last. The server is least likely to have closed that one.
    pub(crate) fn take(&self) -> Option<C> {
        self.0.borrow_mut().pop()
    }

    /// Keeps a connection, or closes it if the pool is full.
    pub(crate) fn keep(&self, connection: C) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < MAX {
            kept.push(connection);
        }
    }

    /// Closes all idle connections. Call it when the server seems to hang.
    pub fn close(&self) {
        self.0.borrow_mut().clear();
    }
}
