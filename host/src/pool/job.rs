//! A request on its way through the pool, and the channel for its response.

use std::time::Instant;

use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use super::call_error::CallError;
use super::response_body::ResponseBody;

/// Where the response goes. Sending fails if the client has gone, which is no error.
pub type Reply = oneshot::Sender<Result<Response<ResponseBody>, CallError>>;

/// Waits for the response. The sender is dropped without a response if the instance traps.
pub type PendingResponse = oneshot::Receiver<Result<Response<ResponseBody>, CallError>>;

/// A request that waits for an instance.
pub struct Job {
    /// The request as the component will see it.
    pub request: Request<WasiBody>,
    /// Where the response goes.
    pub reply: Reply,
    /// When the request times out.
    pub deadline: Option<Instant>,
}
