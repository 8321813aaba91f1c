//! Outgoing HTTP requests of components: who may be reached, other components of the application without a socket,
//! the rest through the worker's client.

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderName, Request, Response, Uri};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::connect::HttpClient;
use crate::egress::chaining_target;
use crate::failure::Failure;
use crate::manifest::Component;
use crate::worker;

/// How long to wait for a connection, the answer's first and each next byte, unless the component says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// The host that means the application itself.
const SELF_HOST: &str = "self.alt";

/// Sends the requests of one component.
pub struct Outbound {
    /// Whose requests.
    pub component: Arc<Component>,
    /// The worker's client.
    pub client: HttpClient,
    /// Where this application listens.
    pub origin: Authority,
}

/// A request that is being answered, and the rest of its own transmission.
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);
type Sending = Box<dyn Future<Output = Result<Sent, Error>> + Send>;

impl Outbound {
    /// Says where the request may and will go: the component that is meant, or none for the network.
    fn direct(&self, request: &mut Request<WasiBody>) -> Result<Option<String>, Error> {
        let allowed = &self.component.allowed_hosts;
        let host = request.uri().host().unwrap_or_default();
        if host.is_empty() || host == SELF_HOST {
            if !allowed.allows_self() {
                return Err(self.denied("self"));
            }
            let mut parts = request.uri().clone().into_parts();
            parts.scheme = Some(Scheme::HTTP);
            parts.authority = Some(self.origin.clone());
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
        eprintln!(
            "[{}] a request to {to} is not allowed: add it to allowed_outbound_hosts of the component",
            self.component.id
        );
        Error::HttpRequestDenied
    }

    fn start(&self, mut request: Request<WasiBody>, options: Option<RequestOptions>) -> Sending {
        // The client writes the authority into it; other components don't see one, as on Spin.
        request.headers_mut().remove(HOST);
        let sent = |response| -> Sent { (response, Box::new(async { Ok(()) })) };
        match self.direct(&mut request) {
            Err(error) => Box::new(async { Err(error) }),
            Ok(Some(component)) => {
                let answer = worker::chain(&component, request);
                Box::new(async move {
                    match answer.ok_or(Error::DestinationNotFound)?.await {
                        Ok(Ok(response)) => Ok(sent(response.map(BodyExt::boxed_unsync))),
                        Ok(Err(failure)) => Ok(sent(failure_response(&failure))),
                        Err(_) => Ok(sent(failure_response(&Failure::Trapped))),
                    }
                })
            }
            Ok(None) => {
                let client = self.client.clone();
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

fn failure_response(failure: &Failure) -> Response<WasiBody> {
    crate::problem::of_failure(failure)
        .map(|body| http_body_util::Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

impl WasiHttpHooks for Outbound {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        // The default asks a closure that it allocates each time.
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        self.start(request, options)
    }
}

/// For requests that come in: components see the header as it came.
pub struct Incoming;

impl Incoming {
    /// The hooks, for as long as anybody likes: there is nothing in them that would take memory.
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
