//! The line in front of the instances: which request is next, and which ones have waited too long.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::job::{CallError, Job, Reply};
use super::limits::Limits;
use super::queue::{Queue, Ticket};
use super::turn::{Turn, processor_time};
use crate::metrics::{Recorder, Refusal};

/// The line in front of the instances of one component on one worker.
pub struct WaitingLine {
    limits: Limits,
    recorder: Recorder,
    queue: RefCell<Queue>,
    turn: Turn,
}

impl WaitingLine {
    /// An empty line.
    pub fn new(limits: Limits, recorder: Recorder) -> Self {
        let turn = Turn::new(limits.overload_wait > Duration::ZERO);
        Self { limits, recorder, queue: RefCell::default(), turn }
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// How many of them may start in this turn.
    pub fn startable(&self) -> usize {
        self.len().min(self.turn.left())
    }

    /// Adds a request.
    pub fn push(&self, job: Job) -> Ticket {
        let ticket = self.queue.borrow_mut().push(job);
        self.recorder.waiting(self.len());
        ticket
    }

    /// No instance can take this request at once: from now on its wait counts.
    pub fn must_wait(&self, ticket: Ticket) {
        if let Some(job) = self.queue.borrow_mut().get(ticket) {
            job.waits_since = Some(Instant::now());
        }
    }

    /// The client of a request has gone: the request no longer waits.
    pub fn leave(&self, ticket: Ticket) {
        let job = self.queue.borrow_mut().remove(ticket);
        if job.is_some() {
            self.has_shortened();
        }
    }

    /// Counts how many requests wait after some have left.
    fn has_shortened(&self) {
        let waiting = self.len();
        self.recorder.waiting(waiting);
        if waiting == 0 {
            self.turn.caught_up();
        }
    }

    /// The next request whose client still waits, if another one may start in this turn. The second value says whether
    /// it is the last one: then [`Self::next_turn`] must be called after [`TURN`](super::turn::TURN). Requests that have
    /// timed out are answered here.
    pub fn take(&self) -> Option<(Job, bool)> {
        while self.startable() > 0 {
            let mut queue = self.queue.borrow_mut();
            let job = if self.turn.is_newest_first() { queue.pop_newest() } else { queue.pop_oldest() }?;
            drop(queue);
            self.has_shortened();
            if job.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                let _ = job.reply.send(Err(CallError::TimedOut));
            } else if !job.reply.is_closed() {
                return Some((job, self.turn.start_one()));
            }
        }
        None
    }

    /// Begins the next turn. `has_place`: an instance could take a request.
    pub fn next_turn(&self, has_place: bool) {
        let now = Instant::now();
        self.turn.next(now, processor_time(), self.len() > 0 && has_place);
        self.refuse_overdue(now);
    }

    /// Refuses the requests that have waited too long. Returns when the next one will have, if one waits.
    pub fn refuse_overdue(&self, now: Instant) -> Option<Instant> {
        let limit = if self.turn.is_overloaded(now) {
            self.turn.wait_under_overload(self.limits.overload_wait)
        } else {
            self.limits.queue_wait
        };
        loop {
            let mut queue = self.queue.borrow_mut();
            let due = queue.oldest()?.waits_since.get_or_insert(now).checked_add(limit)?;
            if due > now {
                return Some(due);
            }
            let job = queue.pop_oldest()?;
            drop(queue);
            self.recorder.waiting(self.len());
            self.refuse(job.reply, CallError::Overloaded, Refusal::Wait);
        }
    }

    /// Refuses a request that is not in the line.
    pub fn refuse(&self, reply: Reply, error: CallError, why: Refusal) {
        self.recorder.refused(why);
        let _ = reply.send(Err(error));
    }

    /// Answers all that wait with `error`.
    pub fn fail_all(&self, error: &CallError) {
        loop {
            let Some(job) = self.queue.borrow_mut().pop_oldest() else { break };
            let _ = job.reply.send(Err(error.clone()));
        }
        self.has_shortened();
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::SMALL;
    use super::*;
    use http::Request;
    use http_body_util::{BodyExt, Empty};
    use tokio::sync::oneshot;

    /// A line, and the responses to `paths`, which wait in it.
    fn line(paths: &[&str]) -> (WaitingLine, Vec<oneshot::Receiver<super::super::job::Answer>>) {
        let line = WaitingLine::new(SMALL, Recorder::default());
        let responses = paths.iter().map(|path| {
            let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
            let (reply, response) = oneshot::channel();
            let request = Request::get(*path).body(body).expect("valid");
            let ticket = line.push(Job { request, reply, deadline: None, waits_since: None });
            line.must_wait(ticket);
            response
        });
        let responses = responses.collect();
        (line, responses)
    }

    /// Makes a line overloaded at `now`.
    fn overload(line: &WaitingLine, now: Instant) {
        line.turn.next(now - super::super::turn::BURST, Duration::ZERO, true);
        line.turn.next(now, Duration::ZERO, true);
    }

    fn next(line: &WaitingLine) -> String {
        line.take().expect("a request").0.request.uri().path().to_owned()
    }

    #[test]
    fn under_overload_the_newest_is_first_and_who_has_waited_too_long_is_refused() {
        let (line, mut responses) = line(&["/a", "/b", "/c"]);
        assert_eq!(next(&line), "/a");
        let now = Instant::now() + SMALL.overload_wait;
        assert!(line.refuse_overdue(now).is_some_and(|due| due > now), "without overload they may wait longer");
        overload(&line, now);
        assert_eq!(next(&line), "/c");
        assert_eq!(line.refuse_overdue(now), None);
        assert!(matches!(responses[1].try_recv(), Ok(Err(CallError::Overloaded))));
        assert_eq!(line.len(), 0);
    }

    #[test]
    fn after_its_longest_wait_a_request_is_refused_without_overload_too() {
        let (line, mut responses) = line(&["/a"]);
        assert_eq!(line.refuse_overdue(Instant::now() + SMALL.queue_wait), None);
        assert!(matches!(responses[0].try_recv(), Ok(Err(CallError::Overloaded))));
    }

    #[test]
    fn no_more_requests_start_than_a_turn_has() {
        let (line, _responses) = line(&["/"; 100]);
        let mut started = 0;
        while let Some((_, is_last)) = line.take() {
            started += 1;
            assert_eq!(is_last, line.startable() == 0);
        }
        assert!((1..100).contains(&started) && line.len() == 100 - started);
        line.next_turn(true);
        assert!(line.take().is_some());
    }
}
