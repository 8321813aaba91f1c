//! The body of a component's response, tied to the instance that writes it.
//!
//! When an instance traps, wasmtime ends its bodies as if they were complete. A [`ResponseBody`] fails instead, so that
//! the client's connection is closed in the middle of the response. And an instance ends only when its bodies are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::task::AtomicWaker;
use hyper::body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

/// The open bodies of one instance. Atomics, because a `WasiBody` must be `Send`.
#[derive(Debug, Default)]
pub struct OpenBodies {
    open: AtomicUsize,
    broken: AtomicBool,
    instance: AtomicWaker,
}

impl OpenBodies {
    /// Counts `body` as open until it is dropped.
    pub fn open(self: &Arc<Self>, body: WasiBody) -> ResponseBody {
        self.open.fetch_add(1, Ordering::Relaxed);
        ResponseBody { body, bodies: self.clone() }
    }

    /// Whether a body is open.
    pub fn any_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Wakes `instance` when the next body is closed.
    pub fn wake_on_close(&self, instance: &Waker) {
        self.instance.register(instance);
    }

    /// Makes all open bodies end with an error, because the instance has trapped.
    pub fn break_all(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

/// The body of a component's response.
#[derive(Debug)]
pub struct ResponseBody {
    body: WasiBody,
    bodies: Arc<OpenBodies>,
}

impl Body for ResponseBody {
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

impl Drop for ResponseBody {
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
    async fn a_body_of_a_trapped_instance_fails() {
        let bodies = Arc::new(OpenBodies::default());
        let (whole, broken) = (bodies.open(body("a")), bodies.open(body("b")));
        assert_eq!(whole.collect().await.expect("whole").to_bytes(), "a");
        assert!(bodies.any_open());
        bodies.break_all();
        assert!(broken.collect().await.is_err());
        assert!(!bodies.any_open());
    }
}
