//! Requests as the host passes them on.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::PathAndQuery;
use axum::http::{self, Method, Uri};
use http_body::{Frame, SizeHint};
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use spin_sdk::wasip3::http_compat::IncomingRequestBody;

/// A request. Its URI has no scheme and no authority, which no component needs.
pub(crate) type Request = http::Request<RequestBody>;

/// The beginning of the fields in which Spin describes the route. Components know their routes.
const DESCRIPTION: &str = "spin-";
/// The one field among them that says something new.
const CLIENT_ADDR: &str = "spin-client-addr";

/// Reads the method, the path with the query, and the header of a request.
///
/// # Errors
/// One of them is not valid HTTP.
pub(crate) fn receive(incoming: types::Request) -> Result<Request, ErrorCode> {
    let method = Method::try_from(incoming.get_method()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    let target = incoming.get_path_with_query().unwrap_or_else(|| "/".to_owned());
    let target = PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
    let headers = header(incoming.get_headers().copy_all()).ok_or(ErrorCode::HttpProtocolError)?;
    let mut request = Request::new(RequestBody::new(incoming, &headers));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    Ok(request)
}

/// The header without the fields that nobody reads; `None`: a name or a value is not valid.
fn header(fields: Vec<(String, Vec<u8>)>) -> Option<HeaderMap> {
    let is_read = |name: &str| !name.starts_with(DESCRIPTION) || name == CLIENT_ADDR;
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields.into_iter().filter(|(name, _)| is_read(name)) {
        let name = HeaderName::try_from(name).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?);
    }
    Some(headers)
}

/// The body of a request. The host is asked for it when somebody reads it.
pub(crate) struct RequestBody {
    state: State,
    length: Option<u64>,
}

enum State {
    Unread(types::Request),
    Reading(IncomingRequestBody),
    Failed,
}

impl RequestBody {
    fn new(incoming: types::Request, headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self { state: State::Unread(incoming), length }
    }

    /// The body, after the host was asked for it.
    fn reading(&mut self) -> Result<&mut IncomingRequestBody, ErrorCode> {
        if let State::Unread(_) = self.state
            && let State::Unread(incoming) = std::mem::replace(&mut self.state, State::Failed)
        {
            self.state = State::Reading(IncomingRequestBody::new(incoming)?);
        }
        match &mut self.state {
            State::Reading(body) => Ok(body),
            State::Unread(_) | State::Failed => Err(ErrorCode::HttpProtocolError),
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        match self.reading() {
            Ok(body) => pin!(body).poll_frame(cx),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.state, State::Reading(body) if body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        if let Some(length) = self.length {
            hint.set_upper(length);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn the_fields_that_describe_the_route_are_left_out() {
        let given =
            [("Accept", "a"), ("spin-full-url", "u"), ("spin-client-addr", "c"), ("accept", "b"), ("spin", "s")];
        let headers = header(fields(&given)).expect("valid");
        let kept: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(kept, [("accept", "a"), ("accept", "b"), ("spin-client-addr", "c"), ("spin", "s")]);
    }

    #[test]
    fn invalid_fields_are_refused() {
        for bad in [("a b", "x"), ("", "x"), ("a", "x\ny")] {
            assert!(header(fields(&[bad])).is_none(), "{bad:?}");
        }
    }
}
