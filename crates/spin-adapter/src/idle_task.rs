//! Halves how often the host resumes a request.
//!
//! wit-bindgen polls the futures of a request with `FuturesUnordered`. That asks to be polled again when it has polled
//! all its futures and none is ready, although none of them can continue. So a request that waits for one thing is
//! resumed, polled for nothing, and waits again, each time. With one more future, which only waits, not all futures are
//! polled.

use std::future::pending;

use futures_util::future::{AbortHandle, abortable};
use spin_sdk::wit_bindgen;

/// A future of the current request that does nothing. Dropping this ends it: the request ends when all its futures have
/// ended.
pub(crate) struct IdleTask(AbortHandle);

impl IdleTask {
    pub(crate) fn start() -> Self {
        let (idle, end) = abortable(pending::<()>());
        wit_bindgen::spawn(async {
            let _ = idle.await;
        });
        Self(end)
    }
}

impl Drop for IdleTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
