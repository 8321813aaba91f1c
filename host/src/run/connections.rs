//! The open connections of one worker: closes those whose time is over, and idle ones that must make room.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::MissedTickBehavior;

use super::connection_limits::ConnectionLimits;
use super::deadlines::{Deadlines, TICK};
use super::exchange::{Exchange, Phase, Seen};
use crate::metrics::{Closed, WorkerMetrics};

/// How long a new connection may be silent before it may have to make room.
const MIN_SILENCE: Duration = Duration::from_secs(1);

/// The open connections of one worker.
pub struct Connections {
    limits: ConnectionLimits,
    metrics: WorkerMetrics,
    open: RefCell<Slab<Rc<Connection>>>,
    idle: RefCell<Idle>,
    /// How many connections there have been.
    count: Cell<u64>,
}

/// The connections that can make room. To look at all connections for each new one would take too long.
#[derive(Default)]
struct Idle {
    /// Each with its state at that time. The last one is closed first.
    found: Vec<(Weak<Connection>, Seen)>,
    /// Whether another search through all connections would find few more.
    is_exhausted: bool,
}

struct Connection {
    /// Connections are numbered in the order in which they were accepted.
    number: u64,
    exchange: Exchange,
    deadlines: RefCell<Deadlines>,
    /// Why it must be closed.
    closed: Cell<Option<Closed>>,
    /// Whether its task knows that.
    told: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

/// A connection that is watched until this is dropped.
pub struct Watched {
    connections: Rc<Connections>,
    connection: Rc<Connection>,
    key: usize,
}

impl Connections {
    /// None yet.
    pub fn new(limits: ConnectionLimits, metrics: WorkerMetrics) -> Rc<Self> {
        Rc::new(Self { limits, metrics, open: RefCell::default(), idle: RefCell::default(), count: Cell::new(0) })
    }

    /// Watches a connection.
    pub fn watch(self: &Rc<Self>, exchange: Exchange) -> Watched {
        self.count.set(self.count.get() + 1);
        let connection = Rc::new(Connection {
            number: self.count.get(),
            exchange,
            deadlines: RefCell::default(),
            closed: Cell::default(),
            told: Cell::default(),
            task: RefCell::default(),
        });
        let key = self.open.borrow_mut().insert(connection.clone());
        Watched { connections: self.clone(), connection, key }
    }

    /// Looks at all connections again and again. Never returns.
    pub async fn keep_watching(&self) {
        let mut ticks = tokio::time::interval(TICK);
        // Time in which the worker could not read from its connections does not count.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tick();
        }
    }

    fn tick(&self) {
        self.idle.take();
        for (_, connection) in self.open.borrow().iter() {
            let over = connection.deadlines.borrow_mut().tick(connection.exchange.seen(), &self.limits);
            if let Some(closed) = over {
                self.close(connection, closed);
            }
        }
    }

    /// Tells the connection's task to close it, once for each reason.
    fn close(&self, connection: &Connection, why: Closed) {
        // One reason may follow another: a connection whose body is late may still send a response, which may block.
        if connection.closed.get() == Some(why) {
            return;
        }
        connection.closed.set(Some(why));
        connection.told.set(false);
        self.metrics.connection_closed(why);
        if let Some(task) = &*connection.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Closes an idle connection for a new one: the one that has sent nothing for longest, or else the one whose last
    /// request is longest ago. Returns whether there was one.
    pub fn make_room(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        loop {
            if idle.found.is_empty() && !idle.is_exhausted {
                idle.found = self.find_idle();
                // If few were found, the next search is after the next tick.
                idle.is_exhausted = idle.found.len() * 8 < self.open.borrow().len();
            }
            let Some((connection, seen)) = idle.found.pop() else { return false };
            // It may have been closed, or have sent a request, since it was found.
            if let Some(connection) = connection.upgrade()
                && connection.exchange.seen() == seen
                && connection.closed.get().is_none()
            {
                self.close(&connection, Closed::MadeRoom);
                return true;
            }
        }
    }

    fn find_idle(&self) -> Vec<(Weak<Connection>, Seen)> {
        let mut idle = Vec::new();
        for (_, connection) in self.open.borrow().iter().filter(|(_, connection)| connection.closed.get().is_none()) {
            let (seen, age) = (connection.exchange.seen(), connection.age());
            let is_silent = match seen.phase {
                Phase::Silent if age >= MIN_SILENCE => true,
                Phase::Idle => false,
                _ => continue,
            };
            let order = (is_silent, age, Reverse(connection.number));
            idle.push((order, (Rc::downgrade(connection), seen)));
        }
        idle.sort_unstable_by_key(|(order, _)| *order);
        idle.into_iter().map(|(_, connection)| connection).collect()
    }
}

impl Connection {
    /// For how long it has been as it is now.
    fn age(&self) -> Duration {
        let deadlines = self.deadlines.borrow();
        if deadlines.seen() == self.exchange.seen() { deadlines.age() } else { Duration::ZERO }
    }
}

impl Watched {
    /// Why the connection must be closed. Each reason is told once.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed> {
        if let Some(closed) = self.connection.closed.get()
            && !self.connection.told.replace(true)
        {
            return Poll::Ready(closed);
        }
        let mut task = self.connection.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.connections.open.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::connection_limits::SHORT;

    fn is_closed(watched: &Watched) -> Option<Closed> {
        match watched.poll_closed(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(closed) => Some(closed),
            Poll::Pending => None,
        }
    }

    /// Watches a connection that has had `requests` requests and is idle.
    fn idle(connections: &Rc<Connections>, requests: usize) -> (Exchange, Watched) {
        let exchange = Exchange::default();
        for _ in 0..requests {
            drop(exchange.start());
            exchange.flushed();
        }
        let watched = connections.watch(exchange.clone());
        (exchange, watched)
    }

    #[test]
    fn the_connection_that_has_been_idle_for_longest_makes_room() {
        let connections = Connections::new(SHORT, WorkerMetrics::default());
        let (_, first) = idle(&connections, 1);
        connections.tick();
        let (_, second) = idle(&connections, 1);
        let (busy, third) = idle(&connections, 1);
        connections.tick();
        let _answering = busy.start();
        assert!(connections.make_room());
        assert_eq!((is_closed(&first), is_closed(&first)), (Some(Closed::MadeRoom), None));
        assert_eq!((is_closed(&second), is_closed(&third)), (None, None));
        assert!(connections.make_room());
        assert_eq!((is_closed(&second), is_closed(&third)), (Some(Closed::MadeRoom), None));
        assert!(!connections.make_room(), "a request is under way on the third");
    }

    #[test]
    fn silent_connections_make_room_first_but_not_at_once() {
        let connections =
            Connections::new(ConnectionLimits { header: SHORT.header * 10, ..SHORT }, WorkerMetrics::default());
        let (_, used) = idle(&connections, 1);
        let (_, silent) = idle(&connections, 0);
        (0..4).for_each(|_| connections.tick());
        assert!(connections.make_room());
        assert_eq!((is_closed(&silent), is_closed(&used)), (None, Some(Closed::MadeRoom)));
        let (_, used) = idle(&connections, 1);
        connections.tick();
        assert!(connections.make_room());
        assert_eq!((is_closed(&silent), is_closed(&used)), (Some(Closed::MadeRoom), None));
    }

    #[test]
    fn a_late_body_is_told_once_and_a_blocked_response_after_it() {
        let connections = Connections::new(SHORT, WorkerMetrics::default());
        let (exchange, watched) = idle(&connections, 0);
        let _answering = exchange.start();
        exchange.set_waiting_for_body(true);
        (0..100).for_each(|_| connections.tick());
        assert_eq!((is_closed(&watched), is_closed(&watched)), (Some(Closed::BodyTimeout), None));
        exchange.set_waiting_for_body(false);
        exchange.set_blocked(true);
        (0..100).for_each(|_| connections.tick());
        assert_eq!((is_closed(&watched), is_closed(&watched)), (Some(Closed::WriteTimeout), None));
    }
}
