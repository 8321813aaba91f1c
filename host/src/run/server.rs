//! The connections of one worker, HTTP/1.1.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::admission::{Admission, Admitted};
use super::connections::Connections;
use super::exchange::{Exchange, Phase};
use super::response::Answer;
use super::stream::{MAX_HEADER_BYTES, Stream};
use super::worker::Worker;
use super::{closing, handler, headers, problem};
use crate::metrics::Closed;

/// Pause after a failure to accept connections, such as too many open files.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many refused clients a worker answers at a time. Others are only closed.
const MAX_REFUSALS: usize = 16;

/// Accepts connections that `admission` allows until `stop` is true, then waits for the open ones: idle connections are
/// closed at once, others after the current response.
pub async fn serve(
    worker: Rc<Worker>,
    listener: TcpListener,
    admission: Arc<Admission>,
    connections: Rc<Connections>,
    stop: watch::Receiver<bool>,
) {
    tokio::select! {
        () = accept(worker, listener, admission, connections.clone(), stop) => {}
        () = connections.keep_watching() => {}
    }
}

async fn accept(
    worker: Rc<Worker>,
    listener: TcpListener,
    admission: Arc<Admission>,
    connections: Rc<Connections>,
    stop: watch::Receiver<bool>,
) {
    let mut tasks = JoinSet::new();
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let mut stopping = stop.clone();
    let mut stopped = pin!(stopping.wait_for(|stop| *stop));
    let mut is_failing = false;
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    is_failing = false;
                    let mut made_room = false;
                    let make_room = || {
                        made_room = connections.make_room();
                        made_room
                    };
                    match admission.admit(client.ip(), make_room) {
                        Ok(admitted) => {
                            let connection =
                                connection(worker.clone(), stream, client, admitted, connections.clone(), stop.clone());
                            tasks.spawn_local(connection);
                        }
                        Err(refusal) => {
                            worker.metrics.connection_closed(refusal);
                            if let Ok(place) = refusals.clone().try_acquire_owned() {
                                tasks.spawn_local(async move {
                                    refuse(stream, refusal).await;
                                    drop(place);
                                });
                            }
                        }
                    }
                    if made_room {
                        // The other one is closed before the next one is accepted.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        eprintln!("cannot accept a connection, trying again: {error}");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn refuse(stream: TcpStream, refusal: Closed) {
    let detail = match refusal {
        Closed::RefusedAddress => "Your address has too many open connections.",
        _ => "The server has too many open connections.",
    };
    closing::respond(stream, &problem::unavailable(detail)).await;
}

async fn connection(
    worker: Rc<Worker>,
    stream: TcpStream,
    client: SocketAddr,
    _admitted: Admitted,
    connections: Rc<Connections>,
    mut stop: watch::Receiver<bool>,
) {
    let _open = worker.metrics.connection_opened();
    // A response must not wait for the acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let client = headers::client(client);
    let exchange = Exchange::default();
    let watched = connections.watch(exchange.clone());
    let recorder = worker.metrics.without_component();
    let own_responses = recorder.clone();
    let stream = Stream::new(stream, exchange.clone(), Box::new(move |status| recorder.responded(status)));
    let started = exchange.clone();
    let service = service_fn(move |request| {
        let (worker, client, answering) = (worker.clone(), client.clone(), started.start());
        async move {
            let response = handler::handle(worker, request, client, answering.exchange()).await;
            Ok::<_, Infallible>(response.map(|body| Answer { body, _answering: answering }))
        }
    });
    let mut server = http1::Builder::new();
    server.max_header_size(MAX_HEADER_BYTES);
    let mut connection = server.serve_connection(TokioIo::new(stream), service);
    let mut ending = stop.clone();
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut is_stopping = false;
    let closed = loop {
        let is_over = tokio::select! {
            biased;
            // Errors of the connection are not logged: clients cause them. Errors of components are logged elsewhere.
            _ = &mut connection => break None,
            closed = poll_fn(|cx| watched.poll_closed(cx)) => match closed {
                Closed::WriteTimeout => break Some(closed),
                Closed::HeaderTimeout if exchange.seen().phase == Phase::Header => break Some(closed),
                Closed::BodyTimeout => {
                    exchange.body_is_late();
                    false
                }
                _ => true,
            },
            _ = &mut stopped, if !is_stopping => {
                is_stopping = true;
                true
            }
        };
        if is_over {
            // Should a request arrive at this moment, it is answered.
            Pin::new(&mut connection).graceful_shutdown();
        }
    };
    drop(watched);
    let mut stream = connection.into_parts().io.into_inner().into_inner();
    match closed {
        None if exchange.is_unread() => tokio::select! {
            () = closing::discard(&mut stream) => {}
            // The host stops. If the sender has gone, it has stopped.
            _ = ending.wait_for(|stop| *stop) => {}
        },
        None => {}
        Some(Closed::HeaderTimeout) => {
            own_responses.responded(StatusCode::REQUEST_TIMEOUT);
            let response =
                problem::response(StatusCode::REQUEST_TIMEOUT, "The request's header did not arrive in time.");
            closing::respond(stream, &response).await;
        }
        Some(_) => closing::reset(&stream),
    }
}
