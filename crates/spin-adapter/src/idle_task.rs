//! Halves how often the host resumes a request.
//!
//! wit-bindgen polls the futures of a request with `FuturesUnordered`. That asks to be polled again when it has polled
//! all its futures and none is ready, although none of them can continue. So a request that waits for one thing is
//! resumed, polled for nothing, and waits again, each time. With one more future, which only waits, not all futures are
//! polled. The price: work that a request starts is polled only if the request asks to be polled again, which [`poll`]
//! does.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use spin_sdk::wit_bindgen;

use crate::poll;

/// Keeps a future in the current request that never does anything. Dropping this, which must happen in a [poll](poll::run), ends the
/// future. The request ends when all its futures have ended.
pub(crate) struct IdleTask(Rc<State>);

#[derive(Default)]
struct State {
    has_ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl IdleTask {
    pub(crate) fn start() -> Self {
        let state = Rc::new(State::default());
        let idle = Rc::clone(&state);
        wit_bindgen::spawn(poll_fn(move |cx| {
            if idle.has_ended.get() {
                return Poll::Ready(());
            }
            *idle.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }));
        Self(state)
    }
}

impl Drop for IdleTask {
    fn drop(&mut self) {
        self.0.has_ended.set(true);
        // Otherwise the host has cancelled the request: all futures are being dropped, and waking one would be a trap.
        if poll::is_running()
            && let Some(waker) = self.0.waker.take()
        {
            waker.wake();
        }
    }
}
