//! One request: finds its route, calls the component, and prepares the response.

use std::rc::Rc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use wasmtime_wasi_http::{Error, WasiBody};

use super::response::{self, OutgoingBody};
use super::routes::WELL_KNOWN_PREFIX;
use super::worker::Worker;
use super::{headers, problem};
use crate::manifest::Target;
use crate::pool::CallError;

/// Handles one request. An error closes the connection.
pub async fn handle(
    worker: Rc<Worker>,
    mut request: Request<Incoming>,
    client: HeaderValue,
) -> Result<Response<OutgoingBody>, Error> {
    headers::strip(request.headers_mut());
    let own = |response: Response<Bytes>| {
        worker.metrics.without_component().responded(response.status());
        Ok(response::own(response))
    };
    if let Some(known) = request.uri().path().strip_prefix(WELL_KNOWN_PREFIX) {
        return own(well_known(&worker, known));
    }
    let path = request.uri().path().to_owned();
    let Some(matched) = worker.application.router.find(&path) else {
        return own(problem::response(StatusCode::NOT_FOUND, "No route matches this path."));
    };
    if let Err(detail) = headers::set_authority(&mut request) {
        return own(problem::response(StatusCode::BAD_REQUEST, detail));
    }
    let component = match &matched.route.target {
        Target::Component(index) => *index,
        Target::Static(response) => return own(response.clone()),
    };
    headers::add(&mut request, &matched, &client);
    let method = request.method().clone();
    let pool = worker.pools[component].as_ref().expect("compiling has checked the export of each trigger's component");
    let counted = pool.recorder.request();
    let error = match pool.submit(request.map(incoming_body)).await {
        Ok(Ok(response)) => {
            let response = response::prepare(&method, response).await;
            counted.answered(response.status());
            return Ok(response);
        }
        Ok(Err(error)) => error,
        Err(_) => CallError::Trapped,
    };
    if let CallError::ErrorCode(code) = &error {
        eprintln!("[{}] answered {path} with an error: {code}", worker.application.components[component].id);
    }
    let response = problem::of_call_error(&error);
    counted.answered(response.status());
    Ok(response::own(response))
}

fn incoming_body(body: Incoming) -> WasiBody {
    if body.is_end_stream() {
        Empty::new().map_err(|never| match never {}).boxed_unsync()
    } else {
        body.map_err(Error::from).boxed_unsync()
    }
}

fn well_known(worker: &Worker, name: &str) -> Response<Bytes> {
    match name {
        "health" => Response::new(Bytes::from_static(b"OK")),
        "info" => {
            let mut response = Response::new(worker.application.info.clone());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        _ => problem::response(StatusCode::NOT_FOUND, "No route matches this path."),
    }
}
