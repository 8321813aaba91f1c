//! Requests to other servers, bounded in time and in memory.

use std::pin::pin;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use futures_util::future::{Either, select};
use http_api::{BodyError, collect_limited};
use ports::Runtime;
use spin_sdk::http::{EmptyBody, Request, send};
use spin_sdk::wasip3::http::types::ErrorCode;

use crate::{SpinRuntime, poll};

/// A client for responses of one media type.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The media type to ask for. That of the response is not checked.
    pub accept: &'static str,
    /// How long an exchange may take, from the DNS look-up to the last byte of the body, in milliseconds.
    pub timeout_ms: u64,
    /// Bytes of a body, at most.
    pub body_max: usize,
}

/// A response, whatever its status. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The status code.
    pub status: StatusCode,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no response. The texts are for the log: they may name hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The host does not allow the component to reach this address.
    #[error("not among the component's allowed_outbound_hosts: {0}")]
    Denied(String),
    /// No response header arrived: there is no connection, or it failed before that.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The response is not valid HTTP, or the connection broke in the body.
    #[error("no usable response: {0}")]
    Broken(String),
    /// The time limit is over.
    #[error("no complete response in time")]
    TimedOut,
    /// The body has more bytes than allowed.
    #[error("the response is too large")]
    TooLarge,
}

impl Client {
    /// GET `uri`, which is absolute, `http` or `https`. The trace of the current request is passed on.
    ///
    /// # Errors
    /// There is no response within the limits; the connection is closed then.
    pub async fn get(&self, uri: Uri) -> Result<Fetched, FetchError> {
        self.get_authorized(uri, None).await
    }

    /// As [`Client::get`], with this value of `Authorization`. No other server gets it, because redirects are not
    /// followed.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_authorized(&self, uri: Uri, authorization: Option<HeaderValue>) -> Result<Fetched, FetchError> {
        let exchange = pin!(self.exchange(uri, authorization));
        let timeout = pin!(SpinRuntime.sleep(self.timeout_ms));
        match select(exchange, timeout).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(((), _)) => Err(FetchError::TimedOut),
        }
    }

    async fn exchange(&self, uri: Uri, authorization: Option<HeaderValue>) -> Result<Fetched, FetchError> {
        let mut request = Request::new(EmptyBody::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(self.accept));
        if let Some(authorization) = authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        if let Some(trace) = telemetry::traceparent().and_then(|trace| HeaderValue::try_from(trace).ok()) {
            request.headers_mut().insert(telemetry::TRACEPARENT, trace);
        }
        // It starts a task that writes the body.
        let (head, body) = poll::spawning(send(request)).await.map_err(FetchError::from)?.into_parts();
        let body = collect_limited(body, self.body_max).await.map_err(|error| match error {
            BodyError::TooLarge => FetchError::TooLarge,
            // The header has arrived, so the server is reachable.
            BodyError::Broken(code) => match FetchError::from(code) {
                FetchError::Unreachable(text) => FetchError::Broken(text),
                error => error,
            },
        })?;
        Ok(Fetched { status: head.status, body })
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
            ErrorCode::HttpProtocolError
            | ErrorCode::HttpResponseIncomplete
            | ErrorCode::HttpResponseHeaderSectionSize(_)
            | ErrorCode::HttpResponseHeaderSize(_)
            | ErrorCode::HttpResponseBodySize(_)
            | ErrorCode::HttpResponseTrailerSectionSize(_)
            | ErrorCode::HttpResponseTrailerSize(_)
            | ErrorCode::HttpResponseTransferCoding(_)
            | ErrorCode::HttpResponseContentCoding(_)
            | ErrorCode::HttpUpgradeFailed => Self::Broken(code.to_string()),
            code => Self::Unreachable(code.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_and_timeouts_are_distinguished_from_failures() {
        for denied in [ErrorCode::HttpRequestDenied, ErrorCode::DestinationIpProhibited] {
            assert!(matches!(FetchError::from(denied), FetchError::Denied(_)));
        }
        for late in [ErrorCode::ConnectionTimeout, ErrorCode::HttpResponseTimeout] {
            assert_eq!(FetchError::from(late), FetchError::TimedOut);
        }
        for failed in [ErrorCode::ConnectionRefused, ErrorCode::DestinationNotFound, ErrorCode::InternalError(None)] {
            assert!(matches!(FetchError::from(failed), FetchError::Unreachable(_)));
        }
        for broken in [ErrorCode::HttpProtocolError, ErrorCode::HttpResponseIncomplete] {
            assert!(matches!(FetchError::from(broken), FetchError::Broken(_)));
        }
    }
}
