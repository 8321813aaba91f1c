//! What one worker counts for its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why the host has closed a connection, or refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// `--header-timeout`.
    HeaderTimeout,
    /// `--keep-alive-timeout`.
    KeepAliveTimeout,
    /// `--body-timeout`, or the rate of a body.
    BodyTimeout,
    /// `--write-timeout`.
    WriteTimeout,
    /// It was idle, and a new one needed its place.
    MadeRoom,
    /// `--max-connections`.
    Refused,
    /// `--max-connections-per-address`.
    RefusedAddress,
}

/// The names of the reasons, in the order of [`Closed`].
pub const REASONS: [&str; 7] = [
    "header_timeout",
    "keep_alive_timeout",
    "body_timeout",
    "write_timeout",
    "made_room",
    "refused",
    "refused_address",
];

/// The connections of one worker.
#[derive(Default)]
#[repr(align(128))]
pub struct ConnectionFigures {
    open: AtomicU64,
    /// Connections that the host closed or refused, by reason, in the order of [`Closed`].
    pub closed: [AtomicU64; REASONS.len()],
}

/// A connection that is open.
struct OpenConnection(Option<Arc<ConnectionFigures>>);

impl ConnectionFigures {
    /// The number of open connections.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Counts a connection until the guard is dropped, if there is something to count in.
    pub fn count(figures: Option<Arc<Self>>) -> impl Drop {
        if let Some(figures) = &figures {
            figures.open.fetch_add(1, Relaxed);
        }
        OpenConnection(figures)
    }

    /// Counts a connection that the host closed.
    pub fn closed(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Relaxed);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if let Some(figures) = &self.0 {
            figures.open.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_until_it_is_closed() {
        let figures = Arc::new(ConnectionFigures::default());
        let open = ConnectionFigures::count(Some(figures.clone()));
        assert_eq!(figures.open(), 1);
        drop(open);
        assert_eq!(figures.open(), 0);
    }

    #[test]
    fn the_reasons_have_their_names() {
        let figures = ConnectionFigures::default();
        figures.closed(Closed::RefusedAddress);
        assert_eq!(figures.closed[REASONS.len() - 1].load(Relaxed), 1);
        assert_eq!(REASONS[Closed::WriteTimeout as usize], "write_timeout");
    }
}
