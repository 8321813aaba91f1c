//! What happens on a miss: one request fetches the value and stores it, the others share its result.

mod batch;
mod filler;
mod lease;
mod single_flight;
mod store;

pub(crate) use filler::Filler;
pub(crate) use single_flight::SingleFlight;
