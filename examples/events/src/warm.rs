//! Reads a user over HTTP, which puts it into the cache.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use spin_sdk::http::{EmptyBody, Request, Response, send};

/// How long the request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends `GET {api_url}/users/{id}`, as a part of the trace `traceparent`. Returns the status, and what the cache did.
/// Errors: no response in time. A user that does not exist is none: its absence is cached as well.
pub async fn user(id: u64, traceparent: Option<&str>) -> Result<String, String> {
    let api_url = spin_sdk::variables::get("api_url").await.map_err(|error| format!("api_url: {error:?}"))?;
    let mut request = Request::get(format!("{}/users/{id}", api_url.trim_end_matches('/')));
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let request = request.body(EmptyBody::new()).map_err(|error| format!("GET /users/{id}: {error}"))?;
    let response = match select(pin!(send(request)), pin!(spin_sdk::time::sleep(TIMEOUT))).await {
        Either::Left((response, _)) => response.map_err(|error| format!("GET /users/{id}: {error:?}"))?,
        Either::Right(_) => return Err(format!("GET /users/{id}: no response within {TIMEOUT:?}")),
    };
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(format!("GET /users/{id}: {status}"));
    }
    Ok(format!("{}, {}", status.as_u16(), cache_status(&response)))
}

/// What the cache did, such as `tumbler; fwd=miss; stored`.
fn cache_status(response: &Response) -> &str {
    let value = response.headers().get("cache-status").and_then(|value| value.to_str().ok());
    value.unwrap_or("no cache status")
}
