//! A request on its way through the pool, and what comes back.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use super::pool::Pool;
use super::queue::Ticket;
use super::response_body::ResponseBody;

/// A response, or why there is none.
pub type Answer = Result<Response<ResponseBody>, CallError>;

/// Where the response goes. Sending fails if the client has gone, which is no error.
pub type Reply = oneshot::Sender<Answer>;

/// Waits for the response. If it is dropped before, because the client has gone, the request leaves the queue at once.
#[must_use]
pub struct PendingResponse {
    pub(super) response: oneshot::Receiver<Answer>,
    /// None if the request was refused.
    pub(super) place: Option<(Rc<Pool>, Ticket)>,
}

impl Future for PendingResponse {
    /// The error: the instance trapped.
    type Output = Result<Answer, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.response).poll(cx)
    }
}

impl Drop for PendingResponse {
    fn drop(&mut self) {
        if let Some((pool, ticket)) = self.place.take() {
            pool.leave(ticket);
        }
    }
}

/// A request that waits for an instance.
pub struct Job {
    /// The request as the component will see it.
    pub request: Request<WasiBody>,
    /// Where the response goes.
    pub reply: Reply,
    /// When the request times out.
    pub deadline: Option<Instant>,
    /// Since when it has been waiting, if no instance could take it at once.
    pub waits_since: Option<Instant>,
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
    /// `--max-queue` requests are waiting, or this one has waited too long.
    #[error("Too many requests are waiting for this component.")]
    Overloaded,
    /// The host has used up `--max-memory`.
    #[error("The server has too little memory for this request at the moment.")]
    NoMemory,
}

impl CallError {
    /// Whether the same request may succeed a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Overloaded | Self::NoMemory)
    }
}
