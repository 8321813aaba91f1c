//! What to undo when nobody is there any more to take an answer.
//!
//! WASI and Spin do not tell a component that is still at work that its client has gone. They do tell it afterwards:
//! when the connection was closed before the answer, the host drops the answer's body instead of reading it. (The result
//! of the transmission that `wasi:http` has for this purpose is "success" even then, on Spin as on our host.) A client
//! that goes once the host has the body is not noticed: what must be undone needs a time limit of its own too.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use send_wrapper::SendWrapper;
use spin_sdk::wit_bindgen;

/// Has `undo` run if the host does not take the whole body of `response`; drops it otherwise. It runs as part of the
/// request. The body must not be empty, and the request no HEAD: such bodies are never taken.
pub fn if_undelivered(response: Response, undo: impl Future<Output = ()> + 'static) -> Response {
    let undo = SendWrapper::new(Box::pin(undo));
    response.map(|body| Body::new(Tracked { body, untaken: Some(move || wit_bindgen::spawn(undo)) }))
}

/// A body that calls `untaken` when it is dropped before it was taken to its end. Whoever asks for what comes after the
/// last frame has passed that one on; for that reason it does not tell in advance that it is the last
/// ([`HttpBody::is_end_stream`]).
struct Tracked<F: FnOnce()> {
    body: Body,
    untaken: Option<F>,
}

impl<F: FnOnce() + Unpin> HttpBody for Tracked<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.untaken = None;
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce()> Drop for Tracked<F> {
    fn drop(&mut self) {
        if let Some(untaken) = self.untaken.take() {
            untaken();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use std::cell::Cell;

    fn tracked<'a>(text: &'static str, untaken: &'a Cell<bool>) -> Tracked<impl FnOnce() + 'a> {
        Tracked { body: Body::from(text), untaken: Some(|| untaken.set(true)) }
    }

    #[test]
    fn only_a_body_that_was_not_taken_is_undelivered() {
        let untaken = Cell::new(false);
        let whole = tracked("text", &untaken).collect().now_or_never().unwrap().unwrap();
        assert_eq!((whole.to_bytes(), untaken.get()), (Bytes::from("text"), false));

        drop(tracked("text", &untaken));
        assert!(untaken.replace(false));

        // The frame was handed out, and could not be passed on.
        let mut body = tracked("text", &untaken);
        assert!(body.frame().now_or_never().unwrap().is_some());
        assert!(!body.is_end_stream());
        drop(body);
        assert!(untaken.get());
    }

    #[test]
    fn its_length_is_known() {
        let response = if_undelivered(Response::new(Body::from("text")), async {});
        assert_eq!(response.body().size_hint().exact(), Some(4));
        // Taken, so that nothing is left to be undone on a thread without a host.
        assert!(response.into_body().collect().now_or_never().unwrap().is_ok());
    }
}
