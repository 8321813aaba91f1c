//! Connections of one's own, kept for the next who needs one.

use std::cell::RefCell;

/// How many connections are kept.
const MAX: usize = 8;

/// Connections that nobody uses now and that are in no transaction.
pub struct ConnectionPool<C>(RefCell<Vec<C>>);

impl<C> Default for ConnectionPool<C> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<C> ConnectionPool<C> {
    /// The connection that was used last: it is the least likely to have been closed meanwhile.
    pub(crate) fn take(&self) -> Option<C> {
        self.0.borrow_mut().pop()
    }

    /// Keeps a connection, or closes it if there are enough.
    pub(crate) fn keep(&self, connection: C) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < MAX {
            kept.push(connection);
        }
    }

    /// Closes them all: for when the server seems to hang.
    pub fn close(&self) {
        self.0.borrow_mut().clear();
    }
}
