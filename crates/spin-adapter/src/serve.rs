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
/// If `build` fails, the response is a 500 problem, and the next request builds again.
///
/// Responses without `cache-control` get `no-store`; otherwise a cache could store an error.
///
/// axum sets `content-length` on every response. 204 and 304 must not have it (RFC 9110, section 8.6), so it is
/// removed.
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
