//! Bodies in pieces: large parts of an answer go out as they are, one after the other, instead of being copied into one.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use send_wrapper::SendWrapper;

/// Bytes from which on a part is a piece of its own. Smaller ones are put together: each piece costs a call of the host.
const LARGE: usize = 16 * 1024;

/// A JSON body that is yet to be completed.
#[derive(Debug, Default)]
pub struct Pieces {
    ready: VecDeque<Bytes>,
    /// What the next small part is put behind.
    last: Vec<u8>,
    length: u64,
}

impl Pieces {
    /// Appends a small part.
    pub fn push(&mut self, part: &[u8]) {
        if self.last.len() + part.len() > LARGE {
            self.close_last();
        }
        self.length += part.len() as u64;
        self.last.extend_from_slice(part);
    }

    /// Appends a part that may be large: then it is not copied.
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

    /// The answer, of known length. `kept` is dropped with its body: when all of it has been taken, or nobody takes it
    /// any more.
    pub fn into_json<K: 'static>(mut self, status: StatusCode, kept: K) -> Response {
        self.close_last();
        let body = PiecesBody { ready: self.ready, left: self.length, _kept: SendWrapper::new(kept) };
        let mut response = super::json(status, Bytes::new());
        *response.body_mut() = Body::new(body);
        response
    }
}

struct PiecesBody<K> {
    ready: VecDeque<Bytes>,
    left: u64,
    _kept: SendWrapper<K>,
}

// Nothing in it is pinned.
impl<K> Unpin for PiecesBody<K> {}

impl<K> HttpBody for PiecesBody<K> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let piece = self.ready.pop_front();
        self.left -= piece.as_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
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
    fn large_parts_are_pieces_and_small_ones_share_some() {
        let mut pieces = Pieces::default();
        pieces.push(b"[");
        pieces.push_owned(b"1".to_vec());
        pieces.push(b",");
        let large = vec![b'2'; LARGE];
        let at = large.as_ptr();
        pieces.push_owned(large.clone());
        pieces.push_owned(large);
        for _ in 0..LARGE + 1 {
            pieces.push(b"3");
        }
        let kept = Rc::new(());
        let mut body = pieces.into_json(StatusCode::OK, kept.clone()).into_body();
        assert_eq!(body.size_hint().exact(), Some(3 + 3 * LARGE as u64 + 1));
        let mut lengths = Vec::new();
        let mut last = std::ptr::null();
        while let Some(frame) = body.frame().now_or_never().expect("all of it is there") {
            let piece = frame.unwrap().into_data().unwrap();
            lengths.push(piece.len());
            if lengths.len() == 3 {
                last = piece.as_ptr();
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
