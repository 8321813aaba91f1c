//! Responses: a body that the component has already written is sent in one write, with its length.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::Error;

use super::exchange::Answering;
use crate::pool::ResponseBody;

/// How much of a body is collected before the header is sent, in bytes.
const MAX_COLLECTED: usize = 64 * 1024;

/// How often the component is given time to write more of it.
const MAX_TURNS: usize = 16;

/// The body of any response.
pub enum OutgoingBody {
    /// The complete body.
    Complete(Full<Bytes>),
    /// The start of the body, the error after it, if there was one, and the rest as the component writes it.
    Stream(VecDeque<Frame<Bytes>>, Option<Error>, ResponseBody),
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Complete(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Stream(collected, error, rest) => match (collected.pop_front(), error.take()) {
                (Some(frame), later) => {
                    *error = later;
                    Poll::Ready(Some(Ok(frame)))
                }
                (None, Some(error)) => Poll::Ready(Some(Err(error))),
                (None, None) => Pin::new(rest).poll_frame(cx),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Complete(body) => body.is_end_stream(),
            Self::Stream(collected, error, rest) => collected.is_empty() && error.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Complete(body) => body.size_hint(),
            Self::Stream(collected, _, rest) if collected.is_empty() => rest.size_hint(),
            Self::Stream(..) => SizeHint::default(),
        }
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

/// A response of the host itself.
pub fn own(response: Response<Bytes>) -> Response<OutgoingBody> {
    response.map(|body| OutgoingBody::Complete(Full::new(body)))
}

/// Whether a response with this status to a request with this method has a body: RFC 9110, section 6.4.1.
fn has_body(method: &Method, status: StatusCode) -> bool {
    *method != Method::HEAD
        && !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

/// Prepares a component's response. Most components have written the whole body when their response arrives here, or
/// write it when their instance runs next: then it is sent with its length and in one write.
pub async fn prepare(method: &Method, response: Response<ResponseBody>) -> Response<OutgoingBody> {
    let (mut parts, mut body) = response.into_parts();
    if !has_body(method, parts.status) {
        return Response::from_parts(parts, OutgoingBody::Complete(Full::default()));
    }
    let mut collected = Collected::default();
    let mut ended = collected.collect(&mut body);
    for _ in 0..MAX_TURNS {
        if ended || !collected.may_continue() {
            break;
        }
        let before = collected.frames.len();
        yield_once().await;
        ended = collected.collect(&mut body);
        if !ended && collected.frames.len() == before {
            // A tick may have interrupted the component: then it continues only after the worker has polled its
            // sockets.
            tokio::task::yield_now().await;
            ended = collected.collect(&mut body);
            if collected.frames.len() == before {
                break;
            }
        }
    }
    if !ended || collected.has_trailers {
        return Response::from_parts(parts, OutgoingBody::Stream(collected.frames, collected.error, body));
    }
    let bytes = collected.concatenated();
    if !parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Response::from_parts(parts, OutgoingBody::Complete(Full::new(bytes)))
}

/// Lets other tasks run that are ready. Unlike tokio's `yield_now`, it does not poll the sockets first.
pub async fn yield_once() {
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    })
    .await;
    futures::pending!();
}

#[derive(Default)]
struct Collected {
    frames: VecDeque<Frame<Bytes>>,
    size: usize,
    has_trailers: bool,
    error: Option<Error>,
}

impl Collected {
    fn may_continue(&self) -> bool {
        self.size < MAX_COLLECTED && self.error.is_none()
    }

    /// Takes what the component has written, without waiting. Returns whether the body has ended.
    fn collect(&mut self, body: &mut ResponseBody) -> bool {
        while self.may_continue() {
            match body.frame().now_or_never() {
                None => return false,
                Some(None) => return true,
                Some(Some(Ok(frame))) => {
                    self.size += frame.data_ref().map_or(0, Bytes::len);
                    self.has_trailers |= frame.is_trailers();
                    self.frames.push_back(frame);
                }
                Some(Some(Err(error))) => self.error = Some(error),
            }
        }
        false
    }

    fn concatenated(mut self) -> Bytes {
        if self.frames.len() <= 1 {
            return self.frames.pop_front().and_then(|frame| frame.into_data().ok()).unwrap_or_default();
        }
        let chunks: Vec<Bytes> = self.frames.into_iter().filter_map(|frame| frame.into_data().ok()).collect();
        chunks.concat().into()
    }
}
