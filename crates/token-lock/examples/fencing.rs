//! A holder that was paused writes after its lock has ended. The lock cannot prevent that. The resource can: it refuses
//! a fencing number that is less than the greatest one it has seen.
//!
//! ```console
//! $ cargo run -p token-lock --example fencing
//! $ REDIS_URL=redis://127.0.0.1:6379 cargo run -p token-lock --example fencing
//! ```

mod redis;

use ports::native::{NativeRedis, NativeRuntime};
use token_lock::{Acquired, Grant, Locks, Resource};

/// The resource. In a database: `UPDATE … SET total = $1, fence = $2 WHERE id = $3 AND fence <= $2`.
#[derive(Debug, Default)]
struct Invoice {
    total: u32,
    fence: u64,
}

impl Invoice {
    fn write(&mut self, total: u32, fencing: u64) -> Result<(), String> {
        if fencing < self.fence {
            return Err(format!("{fencing} is less than {}: another holder has taken over", self.fence));
        }
        (self.total, self.fence) = (total, fencing);
        Ok(())
    }
}

async fn lock(locks: &Locks<NativeRedis, NativeRuntime>, resource: &Resource, ttl_ms: u64) -> Grant {
    match locks.acquire_within(std::slice::from_ref(resource), ttl_ms, 10_000).await {
        Ok(Acquired::Granted(mut grants)) => grants.remove(0),
        other => panic!("not locked: {other:?}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    redis::with_locks(async |locks| {
        let resource = Resource::new("invoices:7").expect("a valid name");
        let mut invoice = Invoice::default();

        let paused = lock(&locks, &resource, 500).await;
        println!("the first holder has number {}, and is paused for longer than its TTL", paused.fencing);
        let next = lock(&locks, &resource, 5_000).await;
        println!("the second holder has number {}", next.fencing);
        println!("the second holder writes 120: {:?}", invoice.write(120, next.fencing));
        println!("the first holder continues and writes 100: {:?}", invoice.write(100, paused.fencing));
        println!("the first holder releases: {:?}", locks.release(&resource, &paused.token).await);
        println!("the second holder releases: {:?}", locks.release(&resource, &next.token).await);
        println!("{invoice:?}");
    })
    .await;
}
