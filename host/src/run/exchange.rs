//! What is under way on a connection: whether a request's body is still read and a response still sent.
//!
//! The stream below hyper ([`super::stream`]) needs it: what arrives while nothing is under way starts a request, and
//! what hyper sends then is a response of its own. The handler learns from it that the framing of a body is broken, and
//! the connection's timeouts ([`super::deadlines`]) learn what the connection waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The request's body has neither ended nor been dropped.
const READING: u16 = 1;
/// hyper has not yet received the whole response.
const ANSWERING: u16 = 2;
/// hyper has the whole response, but has not yet written all of it.
const UNSENT: u16 = 4;
/// The request's body ended with an error.
const BROKEN: u16 = 8;
/// The request's target has a fragment.
const FRAGMENT: u16 = 16;

/// A part of the next request's header has arrived.
const STARTED: u16 = 32;
/// Somebody waits for more of the request's body.
const WAITING: u16 = 64;
/// The request's body did not arrive in time.
const LATE: u16 = 128;
/// The client does not read the response: the socket takes no more of it.
const BLOCKED: u16 = 256;
/// Not all of the request's body has been read.
const UNREAD: u16 = 512;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// For the first byte of the client.
    Silent,
    /// For the rest of a request's header.
    Header,
    /// For the next request.
    Idle,
    /// For the rest of a request's body.
    Body,
    /// For the client, which does not read the response.
    Blocked,
    /// For nothing that the client could do.
    #[default]
    Busy,
}

/// A connection at one moment. While nothing happens, it stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What it waits for.
    pub phase: Phase,
    /// How many requests there have been.
    pub requests: u32,
    /// In [`Phase::Body`]: how many bytes of the body have arrived. In [`Phase::Blocked`]: how often the client has
    /// read again.
    pub progress: u64,
}

#[derive(Debug, Default)]
struct State {
    flags: AtomicU16,
    requests: AtomicU32,
    received: AtomicU64,
    resumed: AtomicU64,
}

/// The state of one connection. All clones share it. A connection and its requests stay on one thread: loads and stores
/// need no order. It is atomic because the data of an instance must be `Send`.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<State>);

impl Exchange {
    fn has(&self, flag: u16) -> bool {
        self.0.flags.load(Relaxed) & flag != 0
    }

    fn set(&self, flag: u16) {
        self.0.flags.store(self.0.flags.load(Relaxed) | flag, Relaxed);
    }

    fn clear(&self, flag: u16) {
        self.0.flags.store(self.0.flags.load(Relaxed) & !flag, Relaxed);
    }

    /// A request starts. It ends when the returned value and the request's body have been dropped, and the response has
    /// been sent.
    pub fn start(&self) -> Answering {
        self.0.requests.store(self.0.requests.load(Relaxed).wrapping_add(1), Relaxed);
        self.clear(BROKEN | STARTED | UNREAD);
        self.set(ANSWERING);
        Answering(self.clone())
    }

    /// What the connection waits for now.
    pub fn seen(&self) -> Seen {
        let requests = self.0.requests.load(Relaxed);
        let (phase, progress) = if self.has(BLOCKED) {
            (Phase::Blocked, self.0.resumed.load(Relaxed))
        } else if self.has(WAITING) {
            (Phase::Body, self.0.received.load(Relaxed))
        } else if !self.is_idle() {
            (Phase::Busy, 0)
        } else if self.has(STARTED) {
            (Phase::Header, 0)
        } else if requests == 0 {
            (Phase::Silent, 0)
        } else {
            (Phase::Idle, 0)
        };
        Seen { phase, requests, progress }
    }

    /// A part of the next request has arrived.
    pub fn started(&self) {
        self.set(STARTED);
    }

    /// Notes whether the socket has just refused a part of the response (`blocked`), or has taken it.
    pub fn set_blocked(&self, blocked: bool) {
        match (self.has(BLOCKED), blocked) {
            (false, true) => self.set(BLOCKED),
            (true, false) => {
                self.clear(BLOCKED);
                self.0.resumed.store(self.0.resumed.load(Relaxed) + 1, Relaxed);
            }
            (false, false) | (true, true) => {}
        }
    }

    /// Notes whether somebody waits for more of the request's body.
    pub fn set_waiting_for_body(&self, waits: bool) {
        if waits { self.set(WAITING) } else { self.clear(WAITING) }
    }

    /// The request's body is late: reading it is an error from now on.
    pub fn body_is_late(&self) {
        self.set(LATE);
    }

    /// Whether a request's body was late.
    pub fn is_late(&self) -> bool {
        self.has(LATE)
    }

    /// Notes that the request has a body, or is broken, and that nothing of it has been read yet.
    pub fn set_unread(&self) {
        self.set(UNREAD);
    }

    /// Whether the client may still be sending bytes that nobody reads.
    pub fn is_unread(&self) -> bool {
        self.has(UNREAD)
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        !self.has(READING | ANSWERING | UNSENT)
    }

    /// hyper has written everything that it had.
    pub fn flushed(&self) {
        if !self.has(ANSWERING) {
            self.clear(UNSENT);
        }
    }

    /// The target of the request that starts has a fragment.
    pub fn found_fragment(&self) {
        self.set(FRAGMENT);
    }

    /// Whether the target of this request has a fragment. Asked once for each request.
    pub fn take_fragment(&self) -> bool {
        let found = self.has(FRAGMENT);
        if found {
            self.clear(FRAGMENT);
        }
        found
    }

    /// Somebody may read the request's body from now on, of which nothing has arrived.
    pub fn body_starts(&self) {
        self.0.received.store(0, Relaxed);
        self.set(READING | UNREAD);
    }

    /// So many bytes of the request's body have arrived.
    pub fn body_arrived(&self, bytes: usize) {
        self.0.received.store(self.0.received.load(Relaxed) + bytes as u64, Relaxed);
    }

    /// The request's body could not be read.
    pub fn body_broke(&self) {
        self.set(BROKEN);
    }

    /// Nobody reads the request's body any more. All of it has been read if it is `complete`.
    pub fn body_ends(&self, complete: bool) {
        self.clear(READING | WAITING);
        if complete {
            self.clear(UNREAD);
        }
    }

    /// Whether the body of the request could not be read: its framing is wrong, or it is incomplete or late.
    pub fn is_broken(&self) -> bool {
        self.has(BROKEN)
    }
}

/// A response that hyper has not yet received as a whole. Dropped with the body of the response.
#[derive(Debug)]
pub struct Answering(Exchange);

impl Answering {
    /// The connection.
    pub fn exchange(&self) -> &Exchange {
        &self.0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.clear(ANSWERING);
        self.0.set(UNSENT);
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
