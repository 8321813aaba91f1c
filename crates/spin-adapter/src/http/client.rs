//! Requests to other servers, bounded in time and in memory.

use std::fmt;
use std::pin::pin;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use futures_util::future::{Either, select};
use ports::Runtime;
use spin_sdk::http::{EmptyBody, Request, send};
use spin_sdk::wasip3::http::types::ErrorCode;

use super::gather::{Ungathered, gather};
use crate::SpinRuntime;

/// A client for answers of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The media type to ask for. What comes may be another one.
    pub accept: &'static str,
    /// How long an exchange may take in all, from the look-up of the host's name to the body's last byte, in
    /// milliseconds.
    pub timeout_ms: u64,
    /// Bytes of a body, at most.
    pub body_max: usize,
}

/// What a server answered, whatever the status. Redirections are answers like others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The status code.
    pub status: StatusCode,
    /// The media type of the body, as it came.
    pub content_type: Option<HeaderValue>,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer. The texts are for the log: they may name hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The host does not let the component reach this address.
    Denied(String),
    /// There was no connection, it broke, or what came was not HTTP.
    Unreachable(String),
    /// It took longer than it may.
    TimedOut,
    /// The body has more bytes than it may.
    TooLarge,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(reason) => write!(f, "not among the component's allowed_outbound_hosts: {reason}"),
            Self::Unreachable(reason) => write!(f, "out of reach: {reason}"),
            Self::TimedOut => f.write_str("no whole answer in time"),
            Self::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for FetchError {}

impl Client {
    /// GET `uri`, an absolute `http` or `https` one.
    ///
    /// # Errors
    /// There is no answer within the limits. The exchange is given up then, and its connection closed.
    pub async fn get(&self, uri: Uri) -> Result<Fetched, FetchError> {
        let exchange = pin!(self.exchange(uri));
        let timeout = pin!(SpinRuntime.sleep(self.timeout_ms));
        match select(exchange, timeout).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(((), _)) => Err(FetchError::TimedOut),
        }
    }

    async fn exchange(&self, uri: Uri) -> Result<Fetched, FetchError> {
        let mut request = Request::new(EmptyBody::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(self.accept));
        let (mut head, body) = send(request).await.map_err(FetchError::from)?.into_parts();
        let body = gather(body, self.body_max).await.map_err(|error| match error {
            Ungathered::TooLarge => FetchError::TooLarge,
            Ungathered::Broken(code) => FetchError::from(code),
        })?;
        Ok(Fetched { status: head.status, content_type: head.headers.remove(CONTENT_TYPE), body })
    }
}

impl From<ErrorCode> for FetchError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Self::Denied(code.to_string()),
            ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => Self::TimedOut,
            code => Self::Unreachable(code.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_timeouts_are_told_apart_from_failures() {
        for denied in [ErrorCode::HttpRequestDenied, ErrorCode::DestinationIpProhibited] {
            assert!(matches!(FetchError::from(denied), FetchError::Denied(_)));
        }
        for late in [ErrorCode::ConnectionTimeout, ErrorCode::HttpResponseTimeout] {
            assert_eq!(FetchError::from(late), FetchError::TimedOut);
        }
        for failed in [ErrorCode::ConnectionRefused, ErrorCode::HttpProtocolError, ErrorCode::InternalError(None)] {
            assert!(matches!(FetchError::from(failed), FetchError::Unreachable(_)));
        }
    }
}
