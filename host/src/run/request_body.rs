//! The body of a request: a short one is received before the request takes a place in an instance, so that a slow
//! client keeps none from others. Requests with longer bodies share half of the places.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::ready;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{Error, WasiBody};

use super::exchange::Exchange;

/// The most that is received before the request goes on, in bytes.
pub const MAX_RECEIVED: usize = 64 * 1024;

/// Why a request cannot be served.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The body could not be read: [`Exchange`] knows why.
    Unreadable,
    /// Too many long bodies are being received.
    NoPlace,
}

/// A request's body, which tells the [`Exchange`] what arrives and how it ends.
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    exchange: Exchange,
    /// Whether the exchange knows that all of it has been read. The next request may be under way when this is dropped.
    is_over: bool,
}

impl RequestBody {
    /// The body of the request that is under way on the connection.
    pub fn new(body: Incoming, exchange: Exchange) -> Self {
        exchange.body_starts();
        Self { body, exchange, is_over: false }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.exchange.set_waiting_for_body(polled.is_pending());
        match &polled {
            Poll::Ready(Some(Err(_))) => self.exchange.body_broke(),
            Poll::Ready(Some(Ok(frame))) => self.exchange.body_arrived(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(None) => {
                self.exchange.body_ends(true);
                self.is_over = true;
            }
            Poll::Pending => {}
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
        if !self.is_over {
            self.exchange.body_ends(self.body.is_end_stream());
        }
    }
}

/// Receives a short body completely. A long one takes a place of `places` until it ends. So does one whose client waits
/// for 100 (`is_expected`): the component decides whether to ask for it.
pub async fn receive<B>(body: B, is_expected: bool, places: &Arc<Semaphore>) -> Result<WasiBody, Failure>
where
    B: Body<Data = Bytes, Error = Error> + Send + Unpin + 'static,
{
    let is_long = body.size_hint().exact().is_some_and(|length| length > MAX_RECEIVED as u64);
    if is_long || is_expected {
        return Ok(Long::new(Bytes::new(), body, places)?.boxed_unsync());
    }
    match receive_short(body).await? {
        Received::All(start, None) => Ok(Full::new(start).map_err(|never| match never {}).boxed_unsync()),
        Received::All(start, Some(trailers)) => {
            let body = Full::new(start).map_err(|never| match never {});
            Ok(body.with_trailers(ready(Some(Ok(trailers)))).boxed_unsync())
        }
        Received::Start(start, rest) => Ok(Long::new(start, rest, places)?.boxed_unsync()),
    }
}

enum Received<B> {
    /// The whole body and its trailers.
    All(Bytes, Option<HeaderMap>),
    /// More than [`MAX_RECEIVED`], and the rest.
    Start(Bytes, B),
}

async fn receive_short<B>(mut body: B) -> Result<Received<B>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    // The usual case: the body has arrived in one piece, and is not copied.
    let mut start = Bytes::new();
    // Pieces are copied: a piece of one byte may keep a buffer of 8 KiB.
    let mut pieces = Vec::new();
    let mut trailers = None;
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        match frame.map_err(|_| Failure::Unreadable)?.into_data() {
            Ok(data) if start.is_empty() && pieces.is_empty() && body.is_end_stream() => start = data,
            Ok(data) => pieces.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if pieces.len() > MAX_RECEIVED {
            return Ok(Received::Start(pieces.into(), body));
        }
    }
    Ok(Received::All(if pieces.is_empty() { start } else { pieces.into() }, trailers))
}

/// A body that the component reads while it arrives.
struct Long<B> {
    /// What has arrived already.
    start: Bytes,
    rest: B,
    place: Option<OwnedSemaphorePermit>,
}

impl<B> Long<B> {
    fn new(start: Bytes, rest: B, places: &Arc<Semaphore>) -> Result<Self, Failure> {
        let place = places.clone().try_acquire_owned().map_err(|_| Failure::NoPlace)?;
        Ok(Self { start, rest, place: Some(place) })
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Long<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.start.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.start)))));
        }
        let polled = Pin::new(&mut self.rest).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.rest.is_end_stream() {
            self.place = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.start.is_empty() { self.rest.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn body(pieces: &[usize]) -> impl Body<Data = Bytes, Error = Error> + Send + Unpin + 'static + use<> {
        let frames: Vec<_> = pieces.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        StreamBody::new(stream::iter(frames))
    }

    fn places(count: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(count))
    }

    #[tokio::test]
    async fn a_short_body_needs_no_place() {
        for pieces in [&[][..], &[1, 2, 3], &[MAX_RECEIVED], &[1, MAX_RECEIVED - 1]] {
            let received = receive(body(pieces), false, &places(0)).await.expect("received");
            let length = pieces.iter().sum::<usize>();
            assert_eq!(received.size_hint().exact(), Some(length as u64));
            assert_eq!(received.collect().await.expect("complete").to_bytes().len(), length);
        }
    }

    #[tokio::test]
    async fn a_long_body_has_a_place_until_it_ends() {
        let places = places(1);
        let pieces = [MAX_RECEIVED, 1, 100_000];
        let mut first = receive(body(&pieces), false, &places).await.expect("received");
        assert_eq!(receive(body(&pieces), false, &places).await.err(), Some(Failure::NoPlace));
        let mut length = 0;
        while let Some(frame) = first.frame().await {
            length += frame.expect("valid").into_data().expect("data").len();
        }
        assert_eq!(length, MAX_RECEIVED + 100_001);
        assert!(receive(body(&pieces), false, &places).await.is_ok(), "the first has ended");
    }

    #[tokio::test]
    async fn a_known_length_and_an_expected_100_decide_at_once() {
        let long = Full::new(Bytes::from(vec![0; MAX_RECEIVED + 1])).map_err(|never| -> Error { match never {} });
        assert_eq!(receive(long, false, &places(0)).await.err(), Some(Failure::NoPlace));
        assert_eq!(receive(body(&[1]), true, &places(0)).await.err(), Some(Failure::NoPlace));
    }

    #[tokio::test]
    async fn trailers_and_errors_are_kept() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().expect("valid"));
        let with_trailers = body(&[1]).with_trailers(ready(Some(Ok(trailers.clone()))));
        let received = receive(with_trailers, false, &places(0)).await.expect("received");
        assert_eq!(received.collect().await.expect("complete").trailers(), Some(&trailers));
        let frames = [Ok(Frame::data(Bytes::from("x"))), Err(Error::HttpResponseIncomplete)];
        let broken = StreamBody::new(stream::iter(frames));
        assert_eq!(receive(broken, false, &places(0)).await.err(), Some(Failure::Unreadable));
    }
}
