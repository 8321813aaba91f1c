//! The yardstick of the benchmark: what a request costs when the component does nothing.

use spin_sdk::http::{FullBody, IntoResponse, Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(_request: Request) -> impl IntoResponse {
    const BODY: &[u8] = b"ok";
    Response::builder().header("content-length", BODY.len()).body(FullBody::new(BODY))
}
