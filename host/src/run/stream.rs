//! The stream of bytes below hyper. It checks the line that starts a request ([`request_line`]). And it adds a problem
//! document to the responses that hyper makes by itself (400, 431): hyper sends them with an empty body and has no
//! setting for that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::exchange::Exchange;
use super::problem;
use super::request_line::{self, Finding};

/// The most bytes of a request's line and header fields together.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// How hyper says that its own responses have no body.
const NO_BODY: &[u8] = b"content-length: 0\r\n";

/// A connection's stream.
pub struct Stream<S> {
    inner: S,
    exchange: Exchange,
    /// Called with the status of each response that hyper makes by itself.
    on_refusal: Box<dyn Fn(StatusCode)>,
    /// Whether a part of the line that starts the current request has arrived …
    line_started: bool,
    /// … and its end.
    line_ended: bool,
    /// Whether that line names another major version than 1.
    unknown_version: bool,
    /// The rest of the response that replaces hyper's own one and has not yet been written.
    refusal: Bytes,
}

impl<S> Stream<S> {
    /// A new connection.
    pub fn new(inner: S, exchange: Exchange, on_refusal: Box<dyn Fn(StatusCode)>) -> Self {
        Self {
            inner,
            exchange,
            on_refusal,
            line_started: false,
            line_ended: false,
            unknown_version: false,
            refusal: Bytes::new(),
        }
    }

    /// The stream below.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Checks what arrived while no request is under way. A line that arrives in pieces, or together with the request
    /// before it, is left to hyper.
    fn arrived(&mut self, bytes: &mut [u8], is_start: bool) {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
        self.line_ended = true;
        if !is_start {
            return;
        }
        match request_line::check(&mut bytes[..end]) {
            Finding::None | Finding::Lowered => {}
            Finding::UnknownMajor => self.unknown_version = true,
            Finding::Fragment => self.exchange.found_fragment(),
        }
    }

    /// Takes hyper's own response, and keeps what replaces it.
    fn refuse(&mut self, automatic: &[u8]) {
        let status = automatic.get(9..12).and_then(|status| StatusCode::from_bytes(status).ok());
        let status = match status {
            Some(StatusCode::BAD_REQUEST) if self.unknown_version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            // The limit of the whole header: here the line alone reaches it.
            Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) if !self.line_ended => StatusCode::URI_TOO_LONG,
            Some(status) => status,
            None => StatusCode::BAD_REQUEST,
        };
        (self.on_refusal)(status);
        self.exchange.set_unread();
        self.refusal = with_problem(automatic, status).unwrap_or_else(|| automatic.to_vec()).into();
    }
}

/// `automatic`, a response without a body, with `status` and a problem document. None if it is not what hyper sends.
fn with_problem(automatic: &[u8], status: StatusCode) -> Option<Vec<u8>> {
    let line = automatic.windows(2).position(|bytes| bytes == b"\r\n")? + 2;
    let length = line + automatic[line..].windows(NO_BODY.len()).position(|bytes| bytes == NO_BODY)?;
    let detail = match status {
        StatusCode::URI_TOO_LONG => "The request's target is too long.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "The request's header has 32 KiB or more, or more than 100 fields."
        }
        StatusCode::HTTP_VERSION_NOT_SUPPORTED => "This server supports HTTP/1.1 and HTTP/1.0.",
        _ => "The request is not a valid HTTP/1.1 message.",
    };
    let (parts, body) = problem::response(status, detail).into_parts();
    let mut response = format!("HTTP/1.1 {status}\r\n").into_bytes();
    response.extend_from_slice(&automatic[line..length]);
    problem::push_fields(&mut response, &parts.headers);
    response.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    response.extend_from_slice(&automatic[length + NO_BODY.len()..]);
    response.extend_from_slice(&body);
    Some(response)
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        if this.exchange.is_late() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before && this.exchange.is_idle() {
            this.exchange.started();
        }
        if !this.line_ended && this.exchange.is_idle() {
            let is_start = !this.line_started;
            this.line_started = true;
            this.arrived(&mut buf.filled_mut()[before..], is_start);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Stream<S> {
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let written = Pin::new(&mut self.inner).poll_write(cx, &self.refusal);
            self.exchange.set_blocked(written.is_pending());
            let written = ready!(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.refusal.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.exchange.is_idle() {
            self.refuse(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.exchange.set_blocked(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.exchange.is_idle() {
            let bytes = slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<u8>>();
            self.refuse(&bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.exchange.set_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        // hyper calls this when it has written everything, at least once for each request. The next line is that of
        // the next request. This does not wait until nothing is under way: if a component still reads the body after
        // its response, hyper does not flush when that ends.
        if !self.exchange.is_idle() {
            self.line_started = false;
            self.line_ended = false;
        }
        self.exchange.flushed();
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn the_line_counts_until_its_request_is_under_way() {
        let exchange = Exchange::default();
        let mut stream = Stream::new(Vec::<u8>::new(), exchange.clone(), Box::new(|_| {}));
        let flush = |stream: &mut Stream<Vec<u8>>| {
            assert!(Pin::new(stream).poll_flush(&mut Context::from_waker(Waker::noop())).is_ready());
        };
        (stream.line_started, stream.line_ended) = (true, true);
        flush(&mut stream);
        assert!(stream.line_started && stream.line_ended);
        let _answering = exchange.start();
        flush(&mut stream);
        assert!(!stream.line_started && !stream.line_ended);
    }
}
