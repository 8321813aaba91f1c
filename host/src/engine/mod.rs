//! wasmtime: the engine, the compiled components, and the data that each instance's store has.

mod compile;
mod memory;
mod precompiled;
#[cfg(test)]
mod precompiled_tests;
pub mod profile;
mod state;
mod stdio;
mod store;

pub use compile::{Compiled, TICK, compile, engine};
pub use state::InstanceState;
pub use store::{START_TIMEOUT, store};
