//! The store of an instance: its data, with the limits on memory and computing time.

use std::time::Duration;

use wasmtime::{Engine, Store, UpdateDeadline};

use super::profile;
use super::state::InstanceState;

/// How long the start of an instance may take.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A store whose memory is limited and that lets other tasks run at each tick of the engine.
pub fn store(engine: &Engine, state: InstanceState) -> Store<InstanceState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| state.memory_limiter());
    profile::fuel(&mut store);
    // At each tick of the engine, the instance is interrupted: other tasks run, and its time is checked.
    store.set_epoch_deadline(1);
    // tokio's own yield, so that the worker polls its sockets before the component continues.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
    store
}
