//! A component's answer on its way: its body knows the instance that writes it.
//!
//! Wasmtime ends the body of an instance that is gone as if it were complete. Here it is broken instead, so that the
//! client's connection is closed in the middle of the answer. And an instance that is to end waits for its open bodies.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

/// The open bodies of one instance. Shared with bodies that may be sent by other threads' code: hence the atomics.
#[derive(Debug, Default)]
pub struct Bodies {
    open: AtomicUsize,
    broken: AtomicBool,
    instance: AtomicWaker,
}

impl Bodies {
    /// A body that the instance writes.
    pub fn open(self: &Arc<Self>, body: WasiBody) -> AnswerBody {
        self.open.fetch_add(1, Ordering::Relaxed);
        AnswerBody { body, bodies: self.clone() }
    }

    /// Whether any is open.
    pub fn any_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Whom to wake when one is closed.
    pub fn register(&self, instance: &Waker) {
        self.instance.register(instance);
    }

    /// The instance has failed: what it has not written yet will never come.
    pub fn break_all(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

/// The body of a component's answer.
#[derive(Debug)]
pub struct AnswerBody {
    body: WasiBody,
    bodies: Arc<Bodies>,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match polled {
            Poll::Ready(None) if this.bodies.broken.load(Ordering::Relaxed) => {
                Poll::Ready(Some(Err(Error::HttpResponseIncomplete)))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.bodies.open.fetch_sub(1, Ordering::Relaxed);
        self.bodies.instance.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    fn body(text: &'static str) -> WasiBody {
        Full::from(text).map_err(|never| match never {}).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_of_a_failed_instance_is_broken() {
        let bodies = Arc::new(Bodies::default());
        let (whole, broken) = (bodies.open(body("a")), bodies.open(body("b")));
        assert_eq!(whole.collect().await.expect("whole").to_bytes(), "a");
        assert!(bodies.any_open());
        bodies.break_all();
        assert!(broken.collect().await.is_err());
        assert!(!bodies.any_open());
    }
}
