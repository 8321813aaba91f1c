//! What to undo when a response cannot be delivered.
//!
//! While a component handles a request, WASI and Spin do not report that the client has disconnected. They show it
//! afterwards: if the connection was closed before the response, the host drops the response's body without reading it.
//! (`wasi:http` has a transmission result for this purpose, but it is "success" even then, on Spin and on our host.) A
//! client that disconnects after the host has read the body is not noticed: so what must be undone also needs a time
//! limit.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use send_wrapper::SendWrapper;

use crate::poll;

/// Runs `undo`, as part of the request, if the host does not read the whole body of `response`; otherwise drops it. The
/// body must not be empty, and the request must not be a HEAD: such bodies are never read.
pub fn on_undelivered(response: Response, undo: impl Future<Output = ()> + 'static) -> Response {
    let undo = SendWrapper::new(Box::pin(undo));
    response.map(|body| Body::new(Tracked { body, unread: Some(move || poll::spawn(undo)) }))
}

/// A body that calls `unread` if it is dropped before the host has read it to its end. When the host asks for another
/// frame, it has passed on the frame before. Therefore the body never announces that a frame is the last one
/// ([`HttpBody::is_end_stream`]): the host has to ask once more.
struct Tracked<F: FnOnce()> {
    body: Body,
    unread: Option<F>,
}

impl<F: FnOnce() + Unpin> HttpBody for Tracked<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.unread = None;
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce()> Drop for Tracked<F> {
    fn drop(&mut self) {
        if let Some(unread) = self.unread.take() {
            unread();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use std::cell::Cell;

    fn tracked<'a>(text: &'static str, unread: &'a Cell<bool>) -> Tracked<impl FnOnce() + 'a> {
        Tracked { body: Body::from(text), unread: Some(|| unread.set(true)) }
    }

    #[test]
    fn only_a_body_that_was_not_read_is_undelivered() {
        let unread = Cell::new(false);
        let whole = tracked("text", &unread).collect().now_or_never().unwrap().unwrap();
        assert_eq!((whole.to_bytes(), unread.get()), (Bytes::from("text"), false));

        drop(tracked("text", &unread));
        assert!(unread.replace(false));

        // The frame was read, and could not be passed on.
        let mut body = tracked("text", &unread);
        assert!(body.frame().now_or_never().unwrap().is_some());
        assert!(!body.is_end_stream());
        drop(body);
        assert!(unread.get());
    }

    #[test]
    fn its_length_is_known() {
        let response = on_undelivered(Response::new(Body::from("text")), async {});
        assert_eq!(response.body().size_hint().exact(), Some(4));
        // Read, because undoing needs a host.
        assert!(response.into_body().collect().now_or_never().unwrap().is_ok());
    }
}
