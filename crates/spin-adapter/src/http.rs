//! HTTP at the edge of a component: from the host's request through a router to an answer that is ready to send.

mod body;
mod failure;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use send_wrapper::SendWrapper;
use spin_sdk::http::Request;
use tower_service::Service;

pub use body::read_body;
pub use failure::Failure;

/// Answers one request with `router`. Every answer has a `content-length` (without it hosts send chunks, which costs a
/// delayed ACK), save those that must not have one (RFC 9110, section 8.6).
pub async fn serve(router: &Router, request: Request) -> Response {
    let mut response = match router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// Makes the future of a handler acceptable to the router, which asks for `Send`: futures of the host's calls are not,
/// and a component has a single thread.
pub fn local<F: Future>(future: F) -> SendWrapper<F> {
    SendWrapper::new(future)
}

/// An answer whose body is JSON already.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
