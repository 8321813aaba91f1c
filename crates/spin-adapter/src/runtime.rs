//! Clocks, randomness, sleep and background work from WASI.

use ports::Runtime;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random;

use crate::poll;

const NS_PER_MS: u64 = 1_000_000;

/// The runtime of a component.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinRuntime;

impl Runtime for SpinRuntime {
    fn unix_ms(&self) -> u64 {
        poll::unix_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        poll::monotonic_ns() / NS_PER_MS
    }

    fn exact_monotonic_ms(&self) -> u64 {
        poll::read_monotonic_ns() / NS_PER_MS
    }

    fn random_u64(&self) -> u64 {
        random::get_random_u64()
    }

    async fn sleep(&self, ms: u64) {
        monotonic_clock::wait_for(ms * NS_PER_MS).await;
    }

    /// The work belongs to the request that started it: it continues after the response, and ends if the request is
    /// cancelled. What it logs is written at its end.
    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let work = telemetry::inherit(work);
        poll::spawn(async {
            work.await;
            telemetry::flush();
        });
    }
}
