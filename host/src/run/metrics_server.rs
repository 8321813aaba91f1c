//! `--metrics-listen`: `GET /metrics` on an address of its own, served by a thread of its own. A request for metrics
//! reads the workers' atomics and does not disturb them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::TEXT_FORMAT;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::problem;
use super::server::ACCEPT_PAUSE;
use crate::metrics::Metrics;

/// The only path.
pub const PATH: &str = "/metrics";

/// How many connections are served. Further ones wait.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection may take until the next request is complete. Prometheus asks every 15 s to 60 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a connection may exist. A client that reads nothing keeps its place for so long.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);

/// Serves `metrics` until the process ends.
pub fn start(metrics: Arc<Metrics>, listener: TcpListener) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = move || {
        LocalSet::new().block_on(&runtime, async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => accept(metrics, listener).await,
                Err(error) => eprintln!("metrics cannot be served: {error}"),
            }
        });
    };
    std::thread::Builder::new().name("metrics".to_owned()).spawn(serve).context("cannot start the metrics thread")?;
    Ok(())
}

async fn accept(metrics: Arc<Metrics>, listener: tokio::net::TcpListener) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = free.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::task::spawn_local(async move {
                    connection(&metrics, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                eprintln!("cannot accept a connection for metrics, trying again: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(metrics: &Metrics, stream: TcpStream) {
    let service = service_fn(async |request| Ok::<_, std::convert::Infallible>(respond(metrics, &request)));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
    // Clients cause the errors of connections.
    let _ = timeout(CONNECTION_TIMEOUT, server.serve_connection(TokioIo::new(stream), service)).await;
}

fn respond<B: Body>(metrics: &Metrics, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return problem::response(StatusCode::NOT_FOUND, "The metrics are at /metrics.").map(Full::new);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = "Only GET and HEAD are supported.";
        let mut response = problem::response(StatusCode::METHOD_NOT_ALLOWED, detail).map(Full::new);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = Response::new(Full::from(metrics.text()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    response
}
