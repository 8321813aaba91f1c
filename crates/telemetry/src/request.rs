//! The request that an instance works on: its trace, its route, and the line that it leaves in the log.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use tracing::Level;

use crate::logger::{Logger, current_logger};
use crate::trace_context::TraceContext;

thread_local! {
    /// The request whose future is being polled.
    static CURRENT: RefCell<Option<Rc<Request>>> = const { RefCell::new(None) };
    /// The routes that requests had so far. There are as many as the program has routes.
    static ROUTES: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// The route of requests that match none.
const NO_ROUTE: &str = "none";

/// A request that is being handled.
#[derive(Debug)]
pub struct Request {
    trace: Option<TraceContext>,
    route: Cell<&'static str>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// Its method: the name of a known one.
    pub method: &'a str,
    /// The status code of the response.
    pub status: u16,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// `hit`, `miss` or `bypass`, if it used a cache.
    pub cache: Option<&'a str>,
}

impl Request {
    /// A request with this trace, if it has one.
    pub fn new(trace: Option<TraceContext>) -> Rc<Self> {
        Rc::new(Self { trace, route: Cell::new(NO_ROUTE) })
    }

    /// Its trace.
    pub fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// The template of its route, such as `/users/{id}`; `none` if no route matched.
    pub fn route(&self) -> &'static str {
        self.route.get()
    }

    /// Handles it: while `future` runs, this is the current request.
    pub fn scope<F: Future>(self: &Rc<Self>, future: F) -> impl Future<Output = F::Output> {
        with_current(Some(Rc::clone(self)), future)
    }

    /// Writes its line: level `warn` for responses 5xx, otherwise `info`.
    pub fn log(&self, summary: &Summary<'_>) {
        let level = if summary.status >= 500 { Level::WARN } else { Level::INFO };
        let Some(logger) = current_logger().filter(|logger| logger.is_enabled(level)) else { return };
        logger.write(level, |line| {
            line.event("request");
            line.text("method", summary.method);
            line.text("route", self.route());
            line.number("status", summary.status);
            line.milliseconds("duration_ms", summary.duration_us);
            if let Some(cache) = summary.cache {
                line.text("cache", cache);
            }
            if let Some(trace) = &self.trace {
                line.text("trace_id", &trace.trace_id());
            }
        });
    }
}

/// Makes the current request also that of `work`, which runs after the response.
pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
    with_current(current(), work)
}

/// Sets the route of the current request. Routes are templates of the program, so there are few.
pub fn set_route(template: &str) {
    if let Some(request) = current() {
        request.route.set(interned(template));
    }
}

/// The `traceparent` to pass on to others; `None`: there is no current request, or it has no trace.
pub fn traceparent() -> Option<String> {
    current()?.trace().map(ToString::to_string)
}

pub(crate) fn current() -> Option<Rc<Request>> {
    CURRENT.with_borrow(Clone::clone)
}

fn interned(template: &str) -> &'static str {
    ROUTES.with_borrow_mut(|routes| match routes.iter().find(|route| **route == template) {
        Some(route) => route,
        None => {
            let route: &'static str = String::from(template).leak();
            routes.push(route);
            route
        }
    })
}

/// Makes the earlier request the current one again, also after a panic.
struct Restore(Option<Rc<Request>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = self.0.take());
    }
}

/// Makes `request` the current one whenever `future` is polled.
async fn with_current<F: Future>(request: Option<Rc<Request>>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _restore = Restore(CURRENT.replace(request.clone()));
        future.as_mut().poll(cx)
    })
    .await
}

impl Logger {
    /// The trace of the current request.
    pub(crate) fn current_trace() -> Option<TraceContext> {
        CURRENT.with_borrow(|current| current.as_ref()?.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Pending once.
    async fn pause() {
        let mut polled = false;
        poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    #[test]
    fn requests_at_the_same_time_keep_their_own_context() {
        let traces = [TraceContext::new(), TraceContext::new()];
        let requests = traces.map(|trace| Request::new(Some(trace)));
        let handle = async |route: &str| {
            set_route(route);
            pause().await;
            traceparent()
        };
        let mut one = pin!(requests[0].scope(handle("/a")));
        let mut other = pin!(requests[1].scope(handle("/b/{id}")));
        assert!(poll(one.as_mut()).is_pending() && poll(other.as_mut()).is_pending());
        assert!(current().is_none());
        assert_eq!(poll(one), Poll::Ready(Some(traces[0].to_string())));
        assert_eq!(poll(other), Poll::Ready(Some(traces[1].to_string())));
        assert_eq!([requests[0].route(), requests[1].route()], ["/a", "/b/{id}"]);
    }

    #[test]
    fn spawned_work_inherits_the_request() {
        let request = Request::new(Some(TraceContext::new()));
        let spawned = RefCell::new(None);
        let handle = async { *spawned.borrow_mut() = Some(Box::pin(inherit(async { traceparent() }))) };
        assert!(poll(pin!(request.scope(handle))).is_ready());
        let work = spawned.take().expect("it was spawned");
        assert!(traceparent().is_none());
        assert_eq!(poll(pin!(work).as_mut()), Poll::Ready(request.trace().map(ToString::to_string)));
        assert_eq!(request.route(), "none");
    }
}
