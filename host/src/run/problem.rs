//! Error responses of the host itself: problem details, RFC 9457.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::pool::CallError;

/// A problem document of type `about:blank`. Caches must not keep it: what is wrong now may be right soon.
pub fn response(status: StatusCode, detail: &str) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The response for a component that gave none: 503 with `Retry-After: 1` if it may soon give one, else 500.
pub fn of_call_error(error: &CallError) -> Response<Bytes> {
    let detail = error.to_string();
    if !error.is_temporary() {
        return response(StatusCode::INTERNAL_SERVER_ERROR, &detail);
    }
    unavailable(&detail)
}

/// 503 with `Retry-After: 1`.
pub fn unavailable(detail: &str) -> Response<Bytes> {
    let mut response = response(StatusCode::SERVICE_UNAVAILABLE, detail);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// `response` as HTTP/1.1 sends it, with `Connection: close`, for a connection that has no request.
pub fn message(response: &Response<Bytes>) -> Vec<u8> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let (status, length) = (response.status(), response.body().len());
    let mut message =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ndate: {date}\r\ncontent-length: {length}\r\n").into_bytes();
    push_fields(&mut message, response.headers());
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(response.body());
    message
}

/// Appends header fields as HTTP/1.1 sends them.
pub fn push_fields(message: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        message.extend_from_slice(name.as_str().as_bytes());
        message.extend_from_slice(b": ");
        message.extend_from_slice(value.as_bytes());
        message.extend_from_slice(b"\r\n");
    }
}
