//! HTTP/1.1: connections of one worker, and what each request is answered.

use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::failure::Failure;
use crate::manifest::Target;
use crate::response::{self, OutgoingBody};
use crate::routes::WELL_KNOWN_PREFIX;
use crate::worker::Worker;
use crate::{headers, problem};

/// Pause after connections could not be accepted, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` says so; then waits for those that are open: idle ones are closed at once, others
/// after the answer that is under way.
pub async fn serve(worker: Rc<Worker>, listener: TcpListener, stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut stopping = stop.clone();
    let mut stopped = pin!(stopping.wait_for(|stop| *stop));
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    connections.spawn_local(connection(worker.clone(), stream, client, stop.clone()));
                }
                Err(error) => {
                    eprintln!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(worker: Rc<Worker>, stream: TcpStream, client: SocketAddr, mut stop: watch::Receiver<bool>) {
    // An answer must not wait for the acknowledgement of the one before it.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let client = headers::client(client);
    let service = service_fn(move |request| answer(worker.clone(), request, client.clone()));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            // How a connection ended is the client's affair; what components did wrong has been said elsewhere.
            _ = &mut connection => return,
            _ = &mut stopped, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Answers one request; an error closes the connection.
async fn answer(
    worker: Rc<Worker>,
    mut request: Request<Incoming>,
    client: HeaderValue,
) -> Result<Response<OutgoingBody>, Error> {
    headers::strip(request.headers_mut());
    if let Some(known) = request.uri().path().strip_prefix(WELL_KNOWN_PREFIX) {
        return Ok(response::own(well_known(&worker, known)));
    }
    let path = request.uri().path().to_owned();
    let Some(matched) = worker.shared.router.find(&path) else {
        return Ok(response::own(problem::response(StatusCode::NOT_FOUND, "No route matches this path.")));
    };
    if let Err(detail) = headers::set_authority(&mut request) {
        return Ok(response::own(problem::response(StatusCode::BAD_REQUEST, detail)));
    }
    let component = match &matched.route.target {
        Target::Component(index) => *index,
        Target::Static(fixed) => {
            let mut response = Response::new(fixed.body.clone());
            *response.status_mut() = fixed.status;
            *response.headers_mut() = fixed.headers.clone();
            return Ok(response::own(response));
        }
    };
    headers::add(&mut request, &matched, &client);
    let method = request.method().clone();
    let failure = match worker.pools[component].submit(request.map(incoming_body)).await {
        Ok(Ok(answer)) => return Ok(response::prepare(&method, answer).await),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::Trapped,
    };
    if let Failure::ErrorCode(code) = &failure {
        eprintln!("[{}] answered {path} with an error: {code}", worker.shared.components[component].id);
    }
    Ok(response::own(problem::of_failure(&failure)))
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
            let mut response = Response::new(worker.shared.info.clone());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        _ => problem::response(StatusCode::NOT_FOUND, "No route matches this path."),
    }
}
