//! The requests that wait for an instance, in the order of their arrival. A request can leave from any place in it.

use std::collections::VecDeque;

use slab::Slab;

use super::job::Job;

/// The place of one request. After the request has left, the ticket refers to no request: never to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    key: usize,
    number: u64,
}

struct Waiting {
    job: Job,
    number: u64,
}

/// The requests that wait for an instance.
#[derive(Default)]
pub struct Queue {
    waiting: Slab<Waiting>,
    /// All tickets in the order of arrival, also those of requests that have left from the middle.
    order: VecDeque<Ticket>,
    next_number: u64,
}

impl Queue {
    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a request behind all others.
    pub fn push(&mut self, job: Job) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        let ticket = Ticket { key: self.waiting.insert(Waiting { job, number }), number };
        self.order.push_back(ticket);
        ticket
    }

    /// Removes the request that has waited longest.
    pub fn pop_oldest(&mut self) -> Option<Job> {
        loop {
            let ticket = self.order.pop_front()?;
            if let Some(job) = self.take(ticket) {
                return Some(job);
            }
        }
    }

    /// Removes the request that came last.
    pub fn pop_newest(&mut self) -> Option<Job> {
        loop {
            let ticket = self.order.pop_back()?;
            if let Some(job) = self.take(ticket) {
                return Some(job);
            }
        }
    }

    /// The request that has waited longest.
    pub fn oldest(&mut self) -> Option<&mut Job> {
        while let Some(ticket) = self.order.front().copied() {
            if self.has(ticket) {
                return Some(&mut self.waiting[ticket.key].job);
            }
            self.order.pop_front();
        }
        None
    }

    /// The request with this ticket, if it still waits.
    pub fn get(&mut self, ticket: Ticket) -> Option<&mut Job> {
        self.has(ticket).then(|| &mut self.waiting[ticket.key].job)
    }

    /// Removes a request from anywhere, if it still waits.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Job> {
        let job = self.take(ticket)?;
        // The tickets of requests that have left must not become many more than those of the requests that wait.
        if self.order.len() > 2 * self.waiting.len() + 64 {
            let waiting = &self.waiting;
            self.order.retain(|ticket| waiting.get(ticket.key).is_some_and(|found| found.number == ticket.number));
        }
        Some(job)
    }

    fn has(&self, ticket: Ticket) -> bool {
        self.waiting.get(ticket.key).is_some_and(|waiting| waiting.number == ticket.number)
    }

    fn take(&mut self, ticket: Ticket) -> Option<Job> {
        self.has(ticket).then(|| self.waiting.remove(ticket.key).job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::{BodyExt, Empty};
    use tokio::sync::oneshot;

    fn job(path: &str) -> Job {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(path).body(body).expect("valid");
        Job { request, reply: oneshot::channel().0, deadline: None, waits_since: None }
    }

    fn path(job: Option<Job>) -> Option<String> {
        job.map(|job| job.request.uri().path().to_owned())
    }

    #[test]
    fn requests_leave_from_both_ends_and_from_the_middle() {
        let mut queue = Queue::default();
        let tickets: Vec<Ticket> = ["/a", "/b", "/c", "/d"].into_iter().map(|path| queue.push(job(path))).collect();
        assert_eq!(path(queue.remove(tickets[1])).as_deref(), Some("/b"));
        assert!(queue.remove(tickets[1]).is_none());
        assert_eq!(queue.oldest().expect("waits").request.uri().path(), "/a");
        assert_eq!(path(queue.pop_newest()).as_deref(), Some("/d"));
        assert_eq!(path(queue.pop_oldest()).as_deref(), Some("/a"));
        // The place of the one that left first is used again, by another request.
        let last = queue.push(job("/e"));
        assert!(queue.remove(tickets[0]).is_none() && queue.remove(tickets[3]).is_none());
        assert_eq!(path(queue.pop_oldest()).as_deref(), Some("/c"));
        assert_eq!((queue.len(), queue.get(last).is_some()), (1, true));
        assert_eq!(path(queue.pop_oldest()).as_deref(), Some("/e"));
        assert!(queue.len() == 0 && queue.pop_oldest().is_none() && queue.oldest().is_none());
    }

    #[test]
    fn those_who_left_take_no_memory_while_one_request_waits() {
        let mut queue = Queue::default();
        queue.push(job("/waits"));
        for _ in 0..10_000 {
            let ticket = queue.push(job("/leaves"));
            assert!(queue.remove(ticket).is_some());
        }
        assert!(queue.order.len() < 100, "{}", queue.order.len());
        assert_eq!(path(queue.pop_oldest()).as_deref(), Some("/waits"));
    }
}
