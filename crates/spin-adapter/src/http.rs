//! HTTP at the edge of a component: from the host's request through a router to an answer that is ready to send.

pub mod bearer;
mod body;
pub mod client;
mod failure;
mod fallback;
mod gather;
mod pieces;
pub mod query;
mod service;
mod undelivered;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use send_wrapper::SendWrapper;

pub use body::read_body;
pub use failure::Failure;
pub use fallback::{no_such_method, no_such_route};
pub use pieces::Pieces;
pub use service::{Kept, serve};
pub use undelivered::if_undelivered;

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
