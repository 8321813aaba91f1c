//! A request on its way through the pool, and what comes back.

use std::time::Instant;

use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

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

/// Why a component gave no response. The texts are for clients: they say nothing about the inside of the component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The instance trapped, perhaps in another of its requests.
    #[error("The component failed while it answered this request.")]
    Trapped,
    /// No response within `--request-timeout`.
    #[error("The component did not answer in time.")]
    TimedOut,
    /// No instance could be started.
    #[error("The component could not be started.")]
    NotInstantiated,
    /// The component returned this error code instead of a response.
    #[error("The component answered with an error.")]
    ErrorCode(String),
    /// `--max-queue` requests are waiting.
    #[error("Too many requests are waiting for this component.")]
    Overloaded,
}
