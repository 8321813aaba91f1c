//! Three workers share a report that only one may write at a time. [`Locks::guard`](token_lock::Locks::guard) extends
//! the lock while the work runs, even if that takes longer than the TTL.
//!
//! ```console
//! $ cargo run -p token-lock --example critical_section
//! $ REDIS_URL=redis://127.0.0.1:6379 cargo run -p token-lock --example critical_section
//! ```

mod redis;

use std::time::Duration;

use futures_util::future::join_all;
use token_lock::{Guarded, Resource};

const TTL_MS: u64 = 1_000;
/// How long a worker waits for the lock.
const WAIT_MS: u64 = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    redis::with_locks(async |locks| {
        let report = [Resource::new("reports:2026").expect("a valid name")];
        let workers = (1..=3).map(async |worker| {
            let outcome = locks.guard(&report, TTL_MS, WAIT_MS, async |lease| {
                println!("worker {worker} writes, with fencing number {:?}", lease.fencing(&report[0]));
                for part in 1..=4 {
                    if lease.is_lost() {
                        println!("worker {worker} lost its lock and stops before part {part}");
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                true
            });
            match outcome.await {
                Ok(Guarded::Done { value: true, lost: false }) => println!("worker {worker} has finished"),
                Ok(Guarded::Done { .. }) => println!("worker {worker} must check what it wrote: it lost its lock"),
                Ok(Guarded::Taken { retry_after_ms }) => {
                    println!("worker {worker} gives up: the lock is taken for {retry_after_ms} ms more");
                }
                Err(error) => println!("worker {worker} gives up: {error}"),
            }
        });
        join_all(workers).await;
    })
    .await;
}
