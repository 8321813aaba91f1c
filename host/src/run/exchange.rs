//! What is under way on a connection: whether a request's body is still read and a response still sent.
//!
//! The stream below hyper ([`super::stream`]) needs it: what arrives while nothing is under way starts a request, and
//! what hyper sends then is a response of its own. The handler learns from it that the framing of a body is broken.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::response::OutgoingBody;

/// The request's body has neither ended nor been dropped.
const READING: u8 = 1;
/// hyper has not yet received the whole response.
const ANSWERING: u8 = 2;
/// hyper has the whole response, but has not yet written all of it.
const UNSENT: u8 = 4;
/// The request's body ended with an error.
const BROKEN: u8 = 8;
/// The request's target has a fragment.
const FRAGMENT: u8 = 16;

/// The state of one connection. All clones share it. A connection and its requests stay on one thread: loads and stores
/// need no order. It is atomic because the data of an instance must be `Send`.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<AtomicU8>);

impl Exchange {
    fn has(&self, flag: u8) -> bool {
        self.0.load(Relaxed) & flag != 0
    }

    fn set(&self, flag: u8) {
        self.0.store(self.0.load(Relaxed) | flag, Relaxed);
    }

    fn clear(&self, flag: u8) {
        self.0.store(self.0.load(Relaxed) & !flag, Relaxed);
    }

    /// A request starts. It ends when the returned value and the request's body have been dropped, and the response has
    /// been sent.
    pub fn start(&self) -> Answering {
        self.clear(BROKEN);
        self.set(ANSWERING);
        Answering(self.clone())
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        !self.has(READING | ANSWERING | UNSENT)
    }

    /// hyper has written everything that it had.
    pub fn flushed(&self) {
        if !self.has(ANSWERING) {
            self.clear(UNSENT);
        }
    }

    /// The target of the request that starts has a fragment.
    pub fn found_fragment(&self) {
        self.set(FRAGMENT);
    }

    /// Whether the target of this request has a fragment. Asked once for each request.
    pub fn take_fragment(&self) -> bool {
        let found = self.has(FRAGMENT);
        if found {
            self.clear(FRAGMENT);
        }
        found
    }

    /// The body of a request, which reports here how it ended.
    pub fn body(&self, body: Incoming) -> WasiBody {
        self.set(READING);
        RequestBody { body, exchange: self.clone() }.boxed_unsync()
    }

    /// Whether the body of the request could not be read: its framing is wrong, or it is incomplete.
    pub fn is_broken(&self) -> bool {
        self.has(BROKEN)
    }
}

/// A response that hyper has not yet received as a whole. Dropped with the body of the response.
#[derive(Debug)]
pub struct Answering(Exchange);

impl Answering {
    /// The connection.
    pub fn exchange(&self) -> &Exchange {
        &self.0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.clear(ANSWERING);
        self.0.set(UNSENT);
    }
}

/// A response's body that ends the exchange when hyper drops it.
pub struct Answer {
    /// The body.
    pub body: OutgoingBody,
    /// Dropped with the body.
    pub _answering: Answering,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct RequestBody {
    body: Incoming,
    exchange: Exchange,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.exchange.set(BROKEN),
            Poll::Ready(None) => self.exchange.clear(READING),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled.map_err(Error::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.exchange.clear(READING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_when_the_response_has_been_sent() {
        let exchange = Exchange::default();
        assert!(exchange.is_idle());
        let answering = exchange.start();
        exchange.flushed();
        assert!(!exchange.is_idle());
        drop(answering);
        assert!(!exchange.is_idle());
        exchange.flushed();
        assert!(exchange.is_idle());
    }

    #[test]
    fn a_body_that_is_still_read_keeps_the_connection_busy() {
        let exchange = Exchange::default();
        drop(exchange.start());
        exchange.set(READING);
        exchange.flushed();
        assert!(!exchange.is_idle());
        // Nothing makes hyper flush again before the next request.
        exchange.clear(READING);
        assert!(exchange.is_idle());
    }

    #[test]
    fn a_fragment_counts_for_one_request() {
        let exchange = Exchange::default();
        exchange.found_fragment();
        assert!(exchange.take_fragment() && !exchange.take_fragment());
    }
}
