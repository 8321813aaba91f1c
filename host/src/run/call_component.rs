//! Service chaining: a component calls another of its application, in the same worker and without a socket.

use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::sync::{mpsc, oneshot};
use wasmtime_wasi_http::{Error, WasiBody};

use super::application::Application;
use super::routes::{Matched, Route};
use super::{headers, problem};
use crate::engine::Compiled;
use crate::interfaces::http::sent;
use crate::interfaces::{CallComponent, Sending};
use crate::manifest::Component;
use crate::metrics::WorkerMetrics;
use crate::pool::{CallError, Pool, Reply};

/// A request from one component to another.
pub struct Call {
    /// The index of the component that is called.
    component: usize,
    request: Request<WasiBody>,
    reply: Reply,
}

/// Calls the components of `application` through the returned channel, which [`submit_calls`] serves: a store's data
/// must be `Send`, so it cannot hold the pools itself.
pub fn calls(application: Arc<Application>, metrics: WorkerMetrics) -> (CallComponent, mpsc::UnboundedReceiver<Call>) {
    let (calls, receiver) = mpsc::unbounded_channel();
    let call = move |component: &str, mut request: Request<WasiBody>| -> Sending {
        let mut components = application.components.iter().zip(&application.compiled);
        let is_called =
            |(known, compiled): (&Arc<Component>, &Compiled)| known.id == component && compiled.http.is_some();
        let Some(component) = components.position(is_called) else {
            return Box::new(async { Err(Error::DestinationNotFound) });
        };
        let path_info = request.uri().path().to_owned();
        let matched = Matched { route: &Route::chained(component), path_info, captures: Vec::new() };
        headers::add(&mut request, &matched, &headers::CHAINED_CLIENT);
        let counted = metrics.of_component(component).request();
        let (reply, response) = oneshot::channel();
        // If the worker has stopped, the reply is dropped and the response is an error.
        let _ = calls.send(Call { component, request, reply });
        Box::new(async move {
            let response = match response.await.unwrap_or(Err(CallError::Trapped)) {
                Ok(response) => response.map(BodyExt::boxed_unsync),
                Err(error) => problem::of_call_error(&error)
                    .map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync()),
            };
            counted.answered(response.status());
            Ok(sent(response))
        })
    };
    (Arc::new(call), receiver)
}

/// Queues each call in the pool of the component that is called. `pools` has the order of the application's components.
pub async fn submit_calls(pools: Vec<Option<Rc<Pool>>>, mut calls: mpsc::UnboundedReceiver<Call>) {
    while let Some(Call { component, request, reply }) = calls.recv().await {
        if let Some(pool) = &pools[component] {
            pool.enqueue(request, reply);
        }
    }
}
