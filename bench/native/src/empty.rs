//! `GET /empty`: what the component `empty` of the benchmark responds.

use axum::response::IntoResponse;

/// Responds with 200 and two bytes.
pub async fn show() -> impl IntoResponse {
    b"ok"
}
