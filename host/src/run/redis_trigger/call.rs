//! One message: starts an instance and calls its handler.

use std::time::Duration;

use wasmtime::Store;

use super::Handler;
use crate::engine::{self, InstanceState, START_TIMEOUT};
use crate::interfaces::HandlerError;

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No instance could be started.
    #[error("the component cannot be instantiated: {0:?}")]
    NotInstantiated(wasmtime::Error),
    /// The start took longer than this.
    #[error("the component cannot be instantiated: it takes longer than {0:?}")]
    StartTimedOut(Duration),
    /// The instance trapped.
    #[error("the handler failed: {0:?}")]
    Trapped(wasmtime::Error),
    /// `--request-timeout` is over.
    #[error("the handler did not finish in time and was stopped: see --request-timeout")]
    TimedOut,
    /// The handler returned an error.
    #[error("the handler returned an error: {0}")]
    Returned(String),
}

/// Calls the handler with one message, in a new instance.
pub async fn handle(handler: &Handler, message: Vec<u8>) -> Result<(), Failure> {
    let state = InstanceState::new(&handler.shared, handler.limits.memory, handler.is_quiet);
    let mut store = engine::store(handler.subscriber.engine(), state);
    let recorder = &handler.shared.recorder;
    let timeout = handler.limits.request_timeout.unwrap_or(Duration::MAX);
    let result = tokio::time::timeout(timeout, call(handler, &mut store, message)).await;
    let result = result.unwrap_or(Err(Failure::TimedOut));
    if matches!(result, Err(Failure::Trapped(_))) {
        recorder.trapped();
    }
    result
}

async fn call(handler: &Handler, store: &mut Store<InstanceState>, message: Vec<u8>) -> Result<(), Failure> {
    let started = tokio::time::timeout(START_TIMEOUT, handler.subscriber.instantiate_async(&mut *store)).await;
    let instance = started.map_err(|_| Failure::StartTimedOut(START_TIMEOUT))?.map_err(Failure::NotInstantiated)?;
    let _counted = handler.shared.recorder.instance();
    let guest = instance.spin_redis_inbound_redis();
    let result = store.run_concurrent(async |accessor| guest.call_handle_message(accessor, message).await).await;
    match result.flatten().map_err(Failure::Trapped)? {
        Ok(()) => Ok(()),
        Err(HandlerError::Other(text)) => Err(Failure::Returned(text)),
        Err(error) => Err(Failure::Returned(error.to_string())),
    }
}
