//! The connections of one worker, HTTP/1.1.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::exchange::{Answer, Exchange};
use super::stream::{MAX_HEADER_BYTES, Stream};
use super::worker::Worker;
use super::{handler, headers};

/// Pause after a failure to accept connections, such as too many open files.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` is true, then waits for the open ones: idle connections are closed at once, others
/// after the current response.
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
                    eprintln!("cannot accept a connection, trying again: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(worker: Rc<Worker>, stream: TcpStream, client: SocketAddr, mut stop: watch::Receiver<bool>) {
    let _open = worker.metrics.connection_opened();
    // A response must not wait for the acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let client = headers::client(client);
    let exchange = Exchange::default();
    let recorder = worker.metrics.without_component();
    let stream = Stream::new(stream, exchange.clone(), Box::new(move |status| recorder.responded(status)));
    let service = service_fn(move |request| {
        let (worker, client, answering) = (worker.clone(), client.clone(), exchange.start());
        async move {
            let response = handler::handle(worker, request, client, answering.exchange()).await;
            Ok::<_, Infallible>(response.map(|body| Answer { body, _answering: answering }))
        }
    });
    let mut server = http1::Builder::new();
    server.max_header_size(MAX_HEADER_BYTES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            // Errors of the connection are not logged: clients cause them. Errors of components are logged elsewhere.
            _ = &mut connection => return,
            _ = &mut stopped, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
