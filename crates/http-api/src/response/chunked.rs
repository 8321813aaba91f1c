//! Bodies of several chunks: large parts of a response are sent one after the other, without copying them into one
//! buffer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use send_wrapper::SendWrapper;

/// A part of at least this many bytes becomes a chunk. Smaller parts share chunks, because each chunk costs a host
/// call.
const LARGE: usize = 16 * 1024;

/// A JSON body under construction.
#[derive(Debug, Default)]
pub struct ChunkedBody {
    ready: VecDeque<Bytes>,
    /// The chunk that takes the next small part.
    last: Vec<u8>,
    length: u64,
}

impl ChunkedBody {
    /// Appends a small part.
    pub fn push(&mut self, part: &[u8]) {
        if self.last.len() + part.len() > LARGE {
            self.close_last();
        }
        self.length += part.len() as u64;
        self.last.extend_from_slice(part);
    }

    /// Appends a part without copying it if it is large.
    pub fn push_owned(&mut self, part: Vec<u8>) {
        if part.len() < LARGE {
            return self.push(&part);
        }
        self.close_last();
        self.length += part.len() as u64;
        self.ready.push_back(part.into());
    }

    fn close_last(&mut self) {
        if !self.last.is_empty() {
            self.ready.push_back(std::mem::take(&mut self.last).into());
        }
    }

    /// The response, with its length. `kept` is dropped with the body: after it was sent, or when the host discards it.
    pub fn into_json<K: 'static>(mut self, status: StatusCode, kept: K) -> Response {
        self.close_last();
        let body = Chunks { ready: self.ready, left: self.length, _kept: SendWrapper::new(kept) };
        super::with_json_body(status, Body::new(body))
    }
}

struct Chunks<K> {
    ready: VecDeque<Bytes>,
    left: u64,
    _kept: SendWrapper<K>,
}

// Nothing in it is pinned.
impl<K> Unpin for Chunks<K> {}

impl<K> HttpBody for Chunks<K> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let chunk = self.ready.pop_front();
        self.left -= chunk.as_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use std::rc::Rc;

    #[test]
    fn large_parts_are_chunks_and_small_ones_share_chunks() {
        let mut parts = ChunkedBody::default();
        parts.push(b"[");
        parts.push_owned(b"1".to_vec());
        parts.push(b",");
        let large = vec![b'2'; LARGE];
        let at = large.as_ptr();
        parts.push_owned(large.clone());
        parts.push_owned(large);
        for _ in 0..LARGE + 1 {
            parts.push(b"3");
        }
        let kept = Rc::new(());
        let mut body = parts.into_json(StatusCode::OK, kept.clone()).into_body();
        assert_eq!(body.size_hint().exact(), Some(3 + 3 * LARGE as u64 + 1));
        let mut lengths = Vec::new();
        let mut last = std::ptr::null();
        while let Some(frame) = body.frame().now_or_never().expect("all chunks are ready") {
            let chunk = frame.unwrap().into_data().unwrap();
            lengths.push(chunk.len());
            if lengths.len() == 3 {
                last = chunk.as_ptr();
            }
        }
        assert_eq!(lengths, [3, LARGE, LARGE, LARGE, 1]);
        assert_eq!(last, at, "not copied");
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
        assert_eq!(Rc::strong_count(&kept), 2);
        drop(body);
        assert_eq!(Rc::strong_count(&kept), 1);
    }
}
