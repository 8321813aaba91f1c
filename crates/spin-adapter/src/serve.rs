//! The entry point of a component: a router that the first request builds and all requests share.

use std::cell::RefCell;
use std::rc::Rc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::Problem;
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use telemetry::{Summary, TRACEPARENT, TraceContext};
use tower_service::Service as _;

use crate::http::{self, Request};
use crate::idle_task::IdleTask;
use crate::observe;
use crate::poll;
use crate::service::Service;
use crate::variables::VariableError;

/// The product's name in responses.
const PRODUCT: &str = "tumbler";

thread_local! {
    /// What the requests of this instance share.
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Instance {
    service: Rc<Service>,
    router: Router,
}

/// Handles one request of `component` with the router that `build` makes at the first request. Requests that come
/// before the first router is ready each build one; one of them is kept.
///
/// Requests beyond the rate limits of the component do not reach the router: the response is a 429 problem.
///
/// If `build` fails, the response is a 500 problem, and the next request builds again.
///
/// Each request is counted, and leaves a line in the log. It continues the trace of its `traceparent`, or begins one if
/// the log has the level `warn`. The response has the `traceparent` of this component.
///
/// Responses without `cache-control` get `no-store`; otherwise a cache could store an error.
///
/// axum sets `content-length` on every response. 204 and 304 must not have it (RFC 9110, section 8.6), so it is
/// removed.
///
/// # Errors
/// The request or the response cannot be expressed in HTTP.
pub async fn serve(
    component: &'static str,
    request: types::Request,
    build: impl AsyncFnOnce(&Rc<Service>) -> Result<Router, VariableError>,
) -> Result<types::Response, ErrorCode> {
    let respond = async {
        let start_ns = poll::read_monotonic_ns();
        let idle = IdleTask::start();
        let request = http::receive(request)?;
        http::send(respond(component, request, start_ns, build).await, idle)
    };
    // In a box: the future is large, and each future around it would copy it.
    poll::run(Box::pin(respond)).await
}

async fn respond(
    component: &'static str,
    request: Request,
    start_ns: u64,
    build: impl AsyncFnOnce(&Rc<Service>) -> Result<Router, VariableError>,
) -> Response {
    let kept = INSTANCE.with_borrow(Clone::clone);
    let instance = match kept {
        Some(instance) => instance,
        None => {
            http_api::set_product(PRODUCT);
            match start(component, build).await {
                Ok(instance) => INSTANCE.with_borrow_mut(|kept| kept.get_or_insert(instance).clone()),
                // There are no counters, but the log has a line for this request, too.
                Err(error) => {
                    let response = finish(Problem::internal(error).into_response(), None);
                    let (method, duration_us) = (observe::method_name(request.method()), us_since(start_ns));
                    let status = response.status().as_u16();
                    telemetry::Request::new(None).log(&Summary { method, status, duration_us, cache: None });
                    return response;
                }
            }
        }
    };
    let Instance { service, router } = instance;
    let method = observe::method_name(request.method());
    let trace = trace_of(&request);
    let handled = telemetry::Request::new(trace);
    let response = handled.scope(limited(&service, router, request)).await;
    let response = finish(response, trace);
    observe::record(&service, &handled, method, &response, us_since(start_ns));
    response
}

fn us_since(start_ns: u64) -> u64 {
    (poll::read_monotonic_ns() - start_ns) / 1_000
}

/// The response of the router, or the refusal of the rate limits.
async fn limited(service: &Service, mut router: Router, request: Request) -> Response {
    let verdict = match &service.rate_limits {
        Some(limits) => limits.check(&request).await,
        None => None,
    };
    let Some(mut verdict) = verdict else {
        let Ok(response) = router.call(request).await;
        return response;
    };
    let mut response = match verdict.refusal.take() {
        Some(refusal) => refusal.into_response(),
        None => {
            let Ok(response) = router.call(request).await;
            response
        }
    };
    verdict.add_to(&mut response);
    response
}

async fn start(
    component: &'static str,
    build: impl AsyncFnOnce(&Rc<Service>) -> Result<Router, VariableError>,
) -> Result<Instance, VariableError> {
    let service = Service::from_variables(component).await?;
    let router = build(&service).await?;
    Ok(Instance { service, router })
}

/// The trace of the request, or a new one if the log has lines in which it appears.
fn trace_of(request: &Request) -> Option<TraceContext> {
    let mut fields = request.headers().get_all(TRACEPARENT).iter();
    let (first, second) = (fields.next(), fields.next());
    let continued = first.filter(|_| second.is_none()).and_then(|field| TraceContext::continuing(field.as_bytes()));
    continued.or_else(|| telemetry::is_enabled(tracing::Level::WARN).then(TraceContext::new))
}

fn finish(mut response: Response, trace: Option<TraceContext>) -> Response {
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(trace) = trace.and_then(|trace| HeaderValue::try_from(trace.to_string()).ok()) {
        response.headers_mut().insert(TRACEPARENT, trace);
    }
    response
}
