//! Answers on their way out: what is already there is sent in one write, with its length.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::Error;

use crate::answer::AnswerBody;

/// How much of a body is gathered before its header is sent, in bytes.
const MAX_GATHERED: usize = 64 * 1024;

/// How often the component is given a turn to write more of it.
const MAX_TURNS: usize = 16;

/// The body of any answer.
pub enum OutgoingBody {
    /// All of it.
    Whole(Option<Bytes>),
    /// The beginning, what went wrong then, if anything, and the rest as the component writes it.
    Stream(VecDeque<Frame<Bytes>>, Option<Error>, AnswerBody),
}

impl OutgoingBody {
    /// A body that is complete.
    pub fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(gathered, failure, rest) => match (gathered.pop_front(), failure.take()) {
                (Some(frame), failed) => {
                    *failure = failed;
                    Poll::Ready(Some(Ok(frame)))
                }
                (None, Some(error)) => Poll::Ready(Some(Err(error))),
                (None, None) => Pin::new(rest).poll_frame(cx),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(gathered, failure, rest) => gathered.is_empty() && failure.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(gathered, _, rest) if gathered.is_empty() => rest.size_hint(),
            Self::Stream(..) => SizeHint::default(),
        }
    }
}

/// An answer of the host itself.
pub fn own(response: Response<Bytes>) -> Response<OutgoingBody> {
    response.map(OutgoingBody::whole)
}

/// Whether an answer with this status to a request with this method has a body, RFC 9110, section 6.4.1.
fn has_body(method: &Method, status: StatusCode) -> bool {
    *method != Method::HEAD
        && !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

/// Prepares a component's answer. Most components have written the whole body by the time that their answer arrives
/// here, or will have after their instance has run once more: then it leaves with its length and in one write.
pub async fn prepare(method: &Method, response: Response<AnswerBody>) -> Response<OutgoingBody> {
    let (mut parts, mut body) = response.into_parts();
    if !has_body(method, parts.status) {
        return Response::from_parts(parts, OutgoingBody::whole(Bytes::new()));
    }
    let mut gathered = Gathered::default();
    let mut ended = gathered.gather(&mut body);
    for _ in 0..MAX_TURNS {
        if ended || !gathered.may_continue() {
            break;
        }
        let before = gathered.frames.len();
        yield_once().await;
        ended = gathered.gather(&mut body);
        if !ended && gathered.frames.len() == before {
            // It may have been interrupted by a tick, and goes on only after the sockets were looked at.
            tokio::task::yield_now().await;
            ended = gathered.gather(&mut body);
            if gathered.frames.len() == before {
                break;
            }
        }
    }
    if !ended || gathered.has_trailers {
        return Response::from_parts(parts, OutgoingBody::Stream(gathered.frames, gathered.failure, body));
    }
    let bytes = gathered.concatenated();
    if !parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Response::from_parts(parts, OutgoingBody::whole(bytes))
}

/// Lets the tasks run that are ready. Unlike tokio's `yield_now`, it does not look at the sockets first.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(Default)]
struct Gathered {
    frames: VecDeque<Frame<Bytes>>,
    size: usize,
    has_trailers: bool,
    failure: Option<Error>,
}

impl Gathered {
    fn may_continue(&self) -> bool {
        self.size < MAX_GATHERED && self.failure.is_none()
    }

    /// Takes what is there without waiting; answers whether the body has ended.
    fn gather(&mut self, body: &mut AnswerBody) -> bool {
        while self.may_continue() {
            match body.frame().now_or_never() {
                None => return false,
                Some(None) => return true,
                Some(Some(Ok(frame))) => {
                    self.size += frame.data_ref().map_or(0, Bytes::len);
                    self.has_trailers |= frame.is_trailers();
                    self.frames.push_back(frame);
                }
                Some(Some(Err(error))) => self.failure = Some(error),
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
