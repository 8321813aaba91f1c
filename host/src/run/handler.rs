//! One request: checks it, finds its route, calls the component, and prepares the response.

use std::rc::Rc;

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, EXPECT, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};

use super::exchange::Exchange;
use super::request_body::{Failure, RequestBody};
use super::response::{self, OutgoingBody};
use super::routes::WELL_KNOWN_PREFIX;
use super::worker::Worker;
use super::{headers, problem, request_body, validity};
use crate::manifest::Target;
use crate::metrics;
use crate::pool::CallError;

/// Handles one request of a connection.
pub async fn handle(
    worker: Rc<Worker>,
    request: Request<Incoming>,
    client: HeaderValue,
    exchange: &Exchange,
) -> Response<OutgoingBody> {
    if !request.body().is_end_stream() {
        exchange.set_unread();
    }
    let (mut response, counted) = respond(&worker, request, client, exchange).await;
    if exchange.is_unread() {
        // If nobody reads the rest of the body, hyper notices that when it runs again. It discards what has arrived. If
        // that is not all, it closes the connection after the response, and says so in the response.
        response::yield_once().await;
    }
    if exchange.is_broken() {
        response = response::own(of_broken_body(exchange));
    }
    // Only now it is known what the client gets.
    match counted {
        Some(counted) => counted.answered(response.status()),
        None => worker.metrics.without_component().responded(response.status()),
    }
    response
}

/// The body's end is not known, so the connection cannot be used again: RFC 9112, section 8.
fn of_broken_body(exchange: &Exchange) -> Response<Bytes> {
    let mut response = if exchange.is_late() {
        problem::response(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in time.")
    } else {
        let detail = "The request's body is incomplete, or its chunks are not valid.";
        problem::response(StatusCode::BAD_REQUEST, detail)
    };
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The response, and the request as its component counts it; `None`: it is for no component.
async fn respond(
    worker: &Worker,
    mut request: Request<Incoming>,
    client: HeaderValue,
    exchange: &Exchange,
) -> (Response<OutgoingBody>, Option<metrics::Request>) {
    let own = |response: Response<Bytes>| (response::own(response), None);
    headers::strip(request.headers_mut());
    if exchange.take_fragment() {
        return own(problem::response(StatusCode::BAD_REQUEST, "The request's target has a fragment."));
    }
    if let Err((status, detail)) = validity::check(&mut request, &worker.origin) {
        return own(problem::response(status, detail));
    }
    if validity::is_about_server(&request) {
        let mut response = Response::new(Bytes::new());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(validity::METHODS));
        return own(response);
    }
    if let Some(known) = request.uri().path().strip_prefix(WELL_KNOWN_PREFIX) {
        return own(well_known(worker, known));
    }
    let path = request.uri().path().to_owned();
    let Some(matched) = worker.application.router.find(&path) else {
        return own(problem::response(StatusCode::NOT_FOUND, "No route matches this path."));
    };
    let component = match &matched.route.target {
        Target::Component(index) => *index,
        Target::Static(response) => return own(response.clone()),
    };
    headers::add(&mut request, &matched, &client);
    let method = request.method().clone();
    let is_expected = request.headers().contains_key(EXPECT);
    let pool = worker.pools[component].as_ref().expect("compiling has checked the export of each trigger's component");
    let (parts, body) = request.into_parts();
    let body = if body.is_end_stream() {
        Empty::new().map_err(|never| match never {}).boxed_unsync()
    } else if worker.application.memory.is_short() {
        // Refused before its body takes memory.
        pool.recorder.refused(metrics::Refusal::Memory);
        return own(problem::of_call_error(&CallError::NoMemory));
    } else {
        let body = RequestBody::new(body, exchange.clone());
        match request_body::receive(body, is_expected, &worker.long_bodies[component]).await {
            Ok(body) => body,
            Err(Failure::Unreadable) => return own(of_broken_body(exchange)),
            Err(Failure::NoPlace) => {
                return own(problem::unavailable("Too many long request bodies are being received."));
            }
        }
    };
    let request = Request::from_parts(parts, body);
    let counted = pool.recorder.request();
    let error = match pool.submit(request).await {
        Ok(Ok(response)) => {
            return (response::prepare(&method, response).await, Some(counted));
        }
        Ok(Err(error)) => error,
        Err(_) => CallError::Trapped,
    };
    if let CallError::ErrorCode(code) = &error {
        eprintln!("[{}] answered {path} with an error: {code}", worker.application.components[component].id);
    }
    (response::own(problem::of_call_error(&error)), Some(counted))
}

fn well_known(worker: &Worker, name: &str) -> Response<Bytes> {
    let (body, content_type, cache_control) = match name {
        "health" => (Bytes::from_static(b"OK"), "text/plain", "no-store"),
        // It changes only with the application.
        "info" => (worker.application.info.clone(), "application/json", "max-age=60"),
        _ => return problem::response(StatusCode::NOT_FOUND, "No route matches this path."),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    response
}
