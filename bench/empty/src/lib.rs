//! For comparison in the benchmark: a component that does nothing, to measure the cost of a request itself.

use spin_sdk::http::{FullBody, IntoResponse, Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(_request: Request) -> impl IntoResponse {
    const BODY: &[u8] = b"ok";
    Response::builder().header("content-length", BODY.len()).body(FullBody::new(BODY))
}
