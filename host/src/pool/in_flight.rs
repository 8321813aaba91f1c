//! The requests that an instance is working on, and whether anybody still waits for them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use super::job::{CallError, Reply};
use super::response_body::OpenBodies;

struct Request {
    /// `None` after the request has timed out and its client has got that error.
    reply: Option<Reply>,
    deadline: Option<Instant>,
}

/// The requests that an instance is working on, and its response bodies that are not sent completely.
#[derive(Default)]
pub struct InFlight {
    /// The bodies of its responses.
    pub bodies: Arc<OpenBodies>,
    requests: RefCell<Slab<Request>>,
    timed_out: Cell<usize>,
}

impl InFlight {
    /// The number of requests, with those that timed out.
    pub fn len(&self) -> usize {
        self.requests.borrow().len()
    }

    /// The number of requests that timed out: the instance works on them although nobody waits.
    pub fn timed_out(&self) -> usize {
        self.timed_out.get()
    }

    /// Adds a request; returns its key.
    pub fn add(&self, reply: Reply, deadline: Option<Instant>) -> usize {
        self.requests.borrow_mut().insert(Request { reply: Some(reply), deadline })
    }

    /// Removes a request; returns where its response goes, unless it timed out.
    pub fn remove(&self, key: usize) -> Option<Reply> {
        let reply = self.requests.borrow_mut().remove(key).reply;
        if reply.is_none() {
            self.timed_out.set(self.timed_out.get() - 1);
        }
        reply
    }

    /// Removes all requests, with `error` for their clients.
    pub fn fail_all(&self, error: &CallError) {
        for reply in self.requests.borrow_mut().drain().filter_map(|request| request.reply) {
            let _ = reply.send(Err(error.clone()));
        }
    }

    /// Removes all requests: their clients see the end of the channel.
    pub fn clear(&self) {
        self.requests.borrow_mut().clear();
    }

    /// Whether a client waits for a response, or for the rest of one.
    pub fn is_awaited(&self) -> bool {
        self.bodies.any_open()
            || self.requests.borrow().iter().any(|(_, request)| request.reply.as_ref().is_some_and(|r| !r.is_closed()))
    }

    /// Sends the timeout error for each request whose deadline has passed. Returns the next deadline.
    pub fn time_out(&self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for (_, request) in self.requests.borrow_mut().iter_mut() {
            let Some(deadline) = request.deadline else { continue };
            if deadline > now {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
            } else if let Some(reply) = request.reply.take() {
                self.timed_out.set(self.timed_out.get() + 1);
                let _ = reply.send(Err(CallError::TimedOut));
            }
        }
        next
    }
}
