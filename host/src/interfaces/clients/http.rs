//! The HTTP client of a worker: HTTP/1.1 with and without TLS, with a pool of connections.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_http::timeout::TimeoutBody;
use tower_service::Service;
use wasmtime_wasi_http::{Error, WasiBody};

use super::tls;

tokio::task_local! {
    /// How long the current request waits for a connection.
    static CONNECT_TIMEOUT: Duration;
}

/// How long a connection is kept that nobody uses: less than the 75 s of nginx and of this host.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// A client. Clones share its connections.
#[derive(Clone)]
pub struct HttpClient(Client<Connector, WasiBody>);

impl Default for HttpClient {
    fn default() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls::CLIENT_CONFIG.clone());
        let https = https.https_or_http().enable_http1().wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        // Before servers close it: a request that is sent at that moment fails, and a POST must not be repeated.
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(MAX_IDLE);
        Self(client.build(Connector(https)))
    }
}

impl HttpClient {
    /// Sends `request` and returns when the response's header has arrived. Reading its body fails if no byte comes for
    /// `between_bytes`.
    pub async fn send(
        &self,
        request: Request<WasiBody>,
        connect: Duration,
        first_byte: Duration,
        between_bytes: Duration,
    ) -> Result<Response<WasiBody>, Error> {
        let sending = CONNECT_TIMEOUT.scope(connect, self.0.request(request));
        let response = tokio::time::timeout(first_byte, sending).await.map_err(|_| Error::ConnectionReadTimeout)?;
        let response = response.map_err(error_of_request)?;
        Ok(response.map(|body| TimeoutBody::new(between_bytes, body).map_err(error_of_body).boxed_unsync()))
    }
}

fn error_of_body(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<hyper::Error>() {
        Ok(error) => Error::Hyper(*error),
        Err(_) => Error::ConnectionReadTimeout,
    }
}

/// The first error of type `T` among `error` and its causes.
fn cause<'a, T: std::error::Error + 'static>(mut error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // `source` of an io::Error skips the error that it wraps.
        error = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => wrapped,
            None => error.source()?,
        };
    }
}

fn error_of_request(error: hyper_util::client::legacy::Error) -> Error {
    if let Some(tls) = cause::<rustls::Error>(&error) {
        return match tls {
            rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
            _ => Error::TlsProtocolError,
        };
    }
    if !error.is_connect() {
        // The body that the component sends can fail too.
        return match cause::<hyper::Error>(&error) {
            Some(broken) if broken.is_incomplete_message() => Error::ConnectionTerminated,
            _ => Error::HttpProtocolError,
        };
    }
    match cause::<io::Error>(&error).map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
        _ if error.source().is_some_and(|source| source.to_string().contains("dns")) => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: Some(0) }
        }
        _ => Error::ConnectionRefused,
    }
}

/// Opens connections within [`CONNECT_TIMEOUT`].
#[derive(Clone)]
struct Connector(HttpsConnector<HttpConnector>);

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // Read in the task of the request: the returned future may run in another task.
        let timeout = CONNECT_TIMEOUT.try_with(|timeout| *timeout).unwrap_or(Duration::MAX);
        let connecting = self.0.call(uri);
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }
}
