//! wasmtime: the engine, the compiled components, and the data that each instance's store has.

mod compile;
mod memory;
mod state;
mod stdio;

pub use compile::{Compiled, TICK, compile, engine};
pub use state::InstanceState;
