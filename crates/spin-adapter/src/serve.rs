//! The entry point of a component: a router that the first request builds and all requests share.

use std::cell::RefCell;
use std::fmt::Display;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::Problem;
use spin_sdk::http::Request;
use tower_service::Service;

thread_local! {
    /// The router of this instance, which has one thread.
    static ROUTER: RefCell<Option<Router>> = const { RefCell::new(None) };
}

/// Handles one request with the router that `build` makes at the first request; `product` is the name in responses.
/// Requests that come before the first router is ready each build one; one of them is kept.
///
/// Responses that do not say how caches may use them get `no-store`: also an error could be cached otherwise.
///
/// Every response has a `content-length`, because without it hosts send chunks, which costs a delayed ACK; except for
/// those that must not have one (RFC 9110, section 8.6).
pub async fn serve<E: Display>(
    product: &'static str,
    request: Request,
    build: impl AsyncFnOnce() -> Result<Router, E>,
) -> Response {
    let mut router = match ROUTER.with_borrow(Clone::clone) {
        Some(router) => router,
        None => {
            http_api::set_product(product);
            match build().await {
                Ok(built) => ROUTER.with_borrow_mut(|router| router.get_or_insert(built).clone()),
                Err(error) => return Problem::internal(error).into_response(),
            }
        }
    };
    let Ok(mut response) = router.call(request).await;
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
