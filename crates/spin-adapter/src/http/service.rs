//! The service that an instance is: a router that its first request builds and all of them share.

use std::cell::RefCell;
use std::thread::LocalKey;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use spin_sdk::http::Request;
use tower_service::Service;

use super::Failure;
use crate::variables::VariableError;

/// Where an instance keeps its router: a `thread_local!`, for an instance has one thread.
pub type Kept = LocalKey<RefCell<Option<Router>>>;

/// Answers one request with the router in `kept`, which `build` makes. Requests that come before the first one has read
/// the variables each make one; one of them is kept. Every answer has a `content-length` (without it hosts send chunks,
/// which costs a delayed ACK), save those that must not have one (RFC 9110, section 8.6).
pub async fn serve(
    kept: &'static Kept,
    request: Request,
    build: impl AsyncFnOnce() -> Result<Router, VariableError>,
) -> Response {
    let router = match kept.with_borrow(Clone::clone) {
        Some(router) => router,
        None => match build().await {
            Ok(built) => kept.with_borrow_mut(|kept| kept.get_or_insert(built).clone()),
            Err(error) => return Failure::internal(error).into_response(),
        },
    };
    answer(router, request).await
}

async fn answer(mut router: Router, request: Request) -> Response {
    let mut response = match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}
