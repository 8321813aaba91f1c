//! Races: many clients at once, on real servers, while keys are evicted and servers are killed. Afterwards a checker
//! judges everything that the clients saw. tests/README.md says how to run them for longer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compare_and_set;
mod concurrent_sales;
mod lock_exclusion;
mod progress;
mod rate_limit;
mod set_race;
mod soak;
mod stale_reads;
mod stampede;
mod state_storm;
mod verify;
