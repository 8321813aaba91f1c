//! Outgoing HTTP requests of components: checks `allowed_outbound_hosts`, calls other components of the application
//! directly, and sends all other requests with the worker's client.

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderName, Request, Response, Uri};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::state::{Sending, Sent, WorkerResources};
use crate::manifest::chaining_target;

/// How long to wait for a connection, for the first byte and for each next byte, unless the component sets it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// The host that means the application itself.
const SELF_HOST: &str = "self.alt";

/// Sends the requests of one component.
pub struct Outbound(pub Arc<WorkerResources>);

/// A response to a request whose body needs no further attention.
pub fn sent(response: Response<WasiBody>) -> Sent {
    (response, Box::new(async { Ok(()) }))
}

impl Outbound {
    /// Checks that the request is allowed, and makes a relative URL absolute. Returns the component that it calls; none
    /// for a request to the network.
    fn route(&self, request: &mut Request<WasiBody>) -> Result<Option<String>, Error> {
        let allowed = &self.0.component.allowed_hosts;
        let host = request.uri().host().unwrap_or_default();
        if host.is_empty() || host == SELF_HOST {
            if !allowed.allows_self() {
                return Err(self.denied("http://self"));
            }
            let mut parts = request.uri().clone().into_parts();
            parts.scheme = Some(Scheme::HTTP);
            parts.authority = Some(self.0.origin.clone());
            *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)?;
            return Ok(None);
        }
        let target = chaining_target(host).map(str::to_owned);
        if !allowed.allows(&request.uri().to_string(), "https") {
            return Err(self.denied(&format!("{}://{host}", request.uri().scheme_str().unwrap_or("https"))));
        }
        Ok(target)
    }

    fn denied(&self, to: &str) -> Error {
        let id = &self.0.component.id;
        eprintln!("[{id}] a request to {to} is not allowed: add it to allowed_outbound_hosts of [component.{id}]");
        Error::HttpRequestDenied
    }
}

impl WasiHttpHooks for Outbound {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        // The default implementation allocates a closure for each call.
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        // The client sets it from the URL. Other components see none, as on Spin.
        request.headers_mut().remove(HOST);
        match self.route(&mut request) {
            Err(error) => Box::new(async { Err(error) }),
            Ok(Some(component)) => (self.0.call_component)(&component, request),
            Ok(None) => {
                let client = self.0.client.clone();
                let timeout = |chosen: Option<Duration>| chosen.unwrap_or(DEFAULT_TIMEOUT);
                let options = options.unwrap_or_default();
                Box::new(async move {
                    let connect = timeout(options.connect_timeout);
                    let first_byte = timeout(options.first_byte_timeout);
                    let between_bytes = timeout(options.between_bytes_timeout);
                    client.send(request, connect, first_byte, between_bytes).await.map(sent)
                })
            }
        }
    }
}

/// The hooks of requests that come in: components see all header fields.
pub struct Incoming;

impl Incoming {
    /// Hooks for the rest of the program. A type without fields takes no memory, so nothing is leaked.
    pub fn hooks() -> &'static mut Self {
        Box::leak(Box::new(Self))
    }
}

impl WasiHttpHooks for Incoming {
    fn is_forbidden_header(&mut self, _: &HeaderName) -> bool {
        false
    }

    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
